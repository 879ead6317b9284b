"""Streams of a running HMS: who is told what, in which order, after which troubles, and for how long."""

import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from uuid import UUID

import jwt
import pytest
from django.conf import settings
from websockets.exceptions import InvalidStatus

from core.accounts import tokens
from core.accounts.token_keys import ring_of
from core.realtime.grants import PER_CLIENT
from core.realtime.hub import AT_ONCE
from core.realtime.sockets import LONGEST_FRAME, NOT_ALLOWED, TOO_LONG, TOO_MANY, TOO_SLOW, UNKNOWN, UNKNOWN_OF_ONE
from tests.factories.callers import Caller, Reader
from tests.factories.patience import eventually
from tests.factories.server import Server
from tests.factories.streams import EventSource, Socket

pytestmark = pytest.mark.server

EVENTS = "/api/v2/events"
DESK, DOCTOR, STRANGER = "receptionist@riverside.demo", "doctor@riverside.demo", "receptionist@hillcrest.demo"


class Clinic:
    """A clinic of the demo as psql sees it: what is written here was announced by no service."""

    def __init__(self, server: Server, slug: str) -> None:
        self.connection = server.connect()
        self.connection.autocommit = True
        self.id: UUID = self._one("SELECT id FROM core_clinic WHERE slug = %s", slug)
        self.visit: UUID = self._one("SELECT id FROM appointments_appointment WHERE clinic_id = %s LIMIT 1", self.id)
        self.location: UUID = self._one("SELECT location_id FROM appointments_appointment WHERE id = %s", self.visit)

    def _one(self, statement: str, *parameters: Any) -> Any:
        (found,) = self.connection.execute(statement, parameters).fetchone() or (None,)
        return found

    def change(self, times: int = 1) -> None:
        """The visit's notes change so often, each time in a transaction of its own."""
        for _ in range(times):
            self.connection.execute(
                "UPDATE appointments_appointment SET notes = CASE notes WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = %s", [self.visit]
            )

    def patient_changes(self) -> None:
        """As a service would announce it."""
        self.connection.execute(
            "INSERT INTO core_domainevent (id, clinic_id, name, schema, about, about_id, data, at) "
            "VALUES (gen_random_uuid(), %s, 'patient.changed', 1, 'patient', %s, '{\"patient\": null}', now())",
            [self.id, self.id],
        )

    @property
    def newest(self) -> int:
        return int(self._one("SELECT max(position) FROM core_domainevent WHERE clinic_id = %s", self.id))

    def positions_after(self, position: int, name: str = "appointment.%") -> list[int]:
        rows = self.connection.execute(
            "SELECT position FROM core_domainevent WHERE clinic_id = %s AND position > %s AND name LIKE %s ORDER BY position",
            [self.id, position, name],
        )
        return [one for (one,) in rows]


@pytest.fixture(scope="module")
def riverside(server: Server) -> Iterator[Clinic]:
    clinic = Clinic(server, "riverside")
    yield clinic
    clinic.connection.close()


@pytest.fixture(scope="module")
def hillcrest(server: Server) -> Iterator[Clinic]:
    clinic = Clinic(server, "hillcrest")
    yield clinic
    clinic.connection.close()


@pytest.fixture(scope="module")
def token(server: Server) -> Callable[[str], str]:
    known: dict[str, str] = {}

    def of(email: str = DESK) -> str:
        if email not in known:
            known[email] = Caller(server, email).token
        return known[email]

    return of


@pytest.fixture
def sse(server: Server, token: Callable[[str], str]) -> Iterator[Callable[..., EventSource]]:
    opened: list[EventSource] = []

    def of(email: str = DESK, path: str = f"{EVENTS}?channels=appointments", **headers: str) -> EventSource:
        source = EventSource(server.host, path, Authorization=f"Bearer {token(email)}", **headers)
        opened.append(source)
        if source.status == 200:
            source.one("ready")
        return source

    yield of
    for one in opened:
        one.close()


@pytest.fixture
def ws(server: Server) -> Iterator[Callable[..., Socket]]:
    opened: list[Socket] = []

    def of(**options: Any) -> Socket:
        opened.append(Socket(server.host, **options))
        return opened[-1]

    yield of
    for one in opened:
        one.close()


# --- What is told ---------------------------------------------------------------------------------------------------------------
def test_both_kinds_are_told_the_same(
    riverside: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    source, socket = sse(), ws().authenticated(token(DESK), "appointments")
    riverside.change()
    for reader in (source, socket):
        event = reader.one("event")
        assert (event["channel"], event["event"], event["id"]) == ("appointments", "appointment.changed", riverside.newest)
        assert event["data"]["appointment"] == str(riverside.visit)
    assert source.retry == 5000 and source.last_event_id == str(riverside.newest)


def test_a_booking_is_told_once(server: Server, sse: Callable[..., EventSource]) -> None:
    caller, source = Caller(server, DESK), sse()
    visit = next(
        one for one in caller.get("/api/v2/appointments?status=confirmed&limit=50").body["data"] if one["status"] == "confirmed"
    )
    changed = caller.send("PATCH", f"/api/v2/appointments/{visit['id']}", {"notes": "asked for a chair"})
    assert changed.status == 200, changed.body
    event = source.one("event")
    assert (event["event"], event["data"]["appointment"]) == ("appointment.changed", visit["id"])
    caller.send("PATCH", f"/api/v2/appointments/{visit['id']}", {"notes": "and a glass of water"})
    source.until(lambda frames: len([one for one in frames if one["type"] == "event"]) == 2)


def test_nobody_hears_of_another_clinic_or_channel(
    riverside: Clinic, hillcrest: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    ours, theirs = sse(), sse(STRANGER)
    patients = sse(path=f"{EVENTS}?channels=patients")
    socket = ws().authenticated(token(DESK), "patients")
    hillcrest.change()
    riverside.change()
    riverside.patient_changes()
    assert ours.one("event")["id"] == riverside.positions_after(0)[-1]
    assert theirs.one("event")["id"] == hillcrest.newest
    for reader in (patients, socket):
        assert reader.one("event")["event"] == "patient.changed"
    assert [len(one.events) for one in (ours, theirs, patients, socket)] == [1, 1, 1, 1]


def test_the_dashboard_hears_of_visits_and_of_the_queue(
    riverside: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    source, socket = sse(path=f"{EVENTS}?channels=dashboard"), ws().authenticated(token(DESK), "dashboard", "patients")
    assert source.one("ready")["channels"] == ["appointments", "queue"]
    riverside.change()
    for reader in (source, socket):
        assert reader.one("event")["channel"] == "appointments"
    socket.say(type="unsubscribe", channels=["dashboard"])
    assert socket.until(lambda frames: [one for one in frames if one["type"] == "subscribed"][1:])[0]["channels"] == ["patients"]


def test_without_channels_all_that_may_be_read_is_told(riverside: Clinic, sse: Callable[..., EventSource]) -> None:
    source = sse(path=EVENTS)
    assert source.one("ready")["channels"] == ["appointments", "patients", "queue"]
    riverside.change()
    riverside.patient_changes()
    source.until(lambda frames: [one["channel"] for one in frames if one["type"] == "event"] == ["appointments", "patients"])


def test_who_works_at_one_location_hears_of_no_other(server: Server, riverside: Clinic, sse: Callable[..., EventSource]) -> None:
    other = riverside._one(
        "SELECT id FROM clinics_location WHERE clinic_id = %s AND id <> %s LIMIT 1", riverside.id, riverside.location
    )
    set_places = (
        "UPDATE core_membership SET location_ids = %s WHERE clinic_id = %s AND user_id = "
        "(SELECT id FROM core_user WHERE email = %s)"
    )
    riverside.connection.execute(set_places, [[other], riverside.id, DOCTOR])
    try:
        elsewhere, everywhere = sse(DOCTOR), sse()
        riverside.change()
        everywhere.one("event")
        riverside.connection.execute("UPDATE appointments_appointment SET location_id = %s WHERE id = %s", [other, riverside.visit])
        moved = elsewhere.one("event")
        assert moved["id"] == riverside.newest and moved["data"]["from_location"] == str(riverside.location)
        riverside.connection.execute(
            "UPDATE appointments_appointment SET location_id = %s WHERE id = %s", [riverside.location, riverside.visit]
        )
        elsewhere.until(lambda frames: len([one for one in frames if one["type"] == "event"]) == 2)
    finally:
        riverside.connection.execute(set_places, [[], riverside.id, DOCTOR])


def test_what_is_rolled_back_is_not_told(server: Server, riverside: Clinic, sse: Callable[..., EventSource]) -> None:
    source = sse()
    with server.connect() as psql:
        psql.execute("UPDATE appointments_appointment SET notes = 'never' WHERE id = %s", [riverside.visit])
        psql.rollback()
    riverside.change()
    assert source.one("event")["id"] == riverside.newest
    assert len(source.events) == 1


# --- After a gap ------------------------------------------------------------------------------------------------------------------
def test_what_was_missed_comes_first_and_nothing_twice(
    riverside: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    first = sse()
    riverside.change()
    first.one("event")
    last = int(first.last_event_id)
    first.close()
    riverside.change(5)
    riverside.patient_changes()
    again = sse(Last_Event_ID=str(last))
    socket = ws().authenticated(token(DESK), "appointments", last_event_id=last)
    riverside.change(3)
    for reader in (again, socket):
        reader.until(lambda frames: len([one for one in frames if one["type"] == "event"]) == 8)
        assert reader.ids == riverside.positions_after(last)


def test_who_was_away_too_long_or_says_nonsense_looks_anew(
    riverside: Clinic, hillcrest: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    last = riverside.newest
    riverside.change(AT_ONCE + 1)

    def is_known_to_whoever_answers() -> bool:
        """A process that is still reading them for others tells a newcomer the rest as it comes."""
        with sse() as newcomer:
            return bool(newcomer.one("ready")["id"] == riverside.newest)

    eventually(lambda: all(is_known_to_whoever_answers() for _ in range(4)))
    for said in (str(last), str(hillcrest.newest), "999999999", "abc"):
        source = sse(Last_Event_ID=said)
        assert source.one("resync")["id"] == riverside.newest
        assert not source.events
    socket = ws().authenticated(token(DESK), "appointments", last_event_id=last)
    assert socket.one("resync")["id"] == riverside.newest
    current = sse(Last_Event_ID=str(riverside.newest))
    riverside.change()
    current.one("event")
    assert not [one for one in current.frames if one["type"] == "resync"]


def test_a_listener_that_is_killed_costs_nothing_but_a_moment(
    server: Server, riverside: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    readers = [*(sse() for _ in range(4)), *(ws().authenticated(token(DESK), "appointments") for _ in range(4))]
    since = riverside.newest
    killed = 0
    with server.connect("hms_app") as kills:  # nobody but the listener's own role, or a superuser, may
        for _ in range(4):
            riverside.change(5)
            killed += len(kills.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hms listener' "
                "AND datname = current_database()"
            ).fetchall())  # fmt: skip
            kills.commit()
            riverside.change(5)
    assert killed
    expected = riverside.positions_after(since)
    assert len(expected) == 40
    for reader in readers:
        reader.until(lambda frames: len([one for one in frames if one["type"] == "event"]) >= 40)
        assert reader.ids == expected


# --- Who may ------------------------------------------------------------
def test_who_may_not_is_refused_like_anywhere(server: Server, sse: Callable[..., EventSource]) -> None:
    stranger = EventSource(server.host, EVENTS)
    assert (stranger.status, stranger.body["error"]["code"]) == (401, "AUTHENTICATION_ERROR")
    unknown = sse(path=f"{EVENTS}?channels=appointments,secrets")
    assert (unknown.status, unknown.body["error"]["details"][0]["field"]) == (400, "channels")
    no_patients = sse("data-analyst@riverside.demo", f"{EVENTS}?channels=patients")
    assert (no_patients.status, no_patients.body["error"]["code"]) == (403, "AUTHORIZATION_ERROR")
    elsewhere = sse(path=f"{EVENTS}?clinic_id=hillcrest")
    assert elsewhere.status == 403
    patient = sse("patient@riverside.demo", EVENTS)
    assert patient.status == 403


def test_the_queue_has_an_address_of_its_own(sse: Callable[..., EventSource]) -> None:
    assert sse(path="/api/sse/queue-updates").one("ready")["channels"] == ["queue"]


def test_a_stream_ends_with_its_session(server: Server, sse: Callable[..., EventSource], ws: Callable[..., Socket]) -> None:
    caller = Caller(server, "nurse@riverside.demo")
    source = EventSource(server.host, EVENTS, Authorization=f"Bearer {caller.token}")
    source.one("ready")
    socket = ws().authenticated(caller.token, "appointments")
    stays = sse()
    assert caller.send("POST", "/api/v2/auth/logout").status in (200, 204)
    assert source.one("bye", 30)["reason"] == "session"
    assert source.ended.wait(5)
    assert socket.closed(30) == UNKNOWN
    assert not stays.ended.is_set()


def test_a_stream_ends_with_its_token(server: Server, token: Callable[[str], str], ws: Callable[..., Socket]) -> None:
    """Half a minute after the token's time, as for any request: clocks differ."""
    sealed = token(DESK)
    name = jwt.get_unverified_header(sealed)["kid"]
    claims = jwt.decode(sealed, options={"verify_signature": False})
    claims["exp"] = int(time.time()) - tokens.LEEWAY + 8
    soon_over = jwt.encode(claims, ring_of(tuple(settings.HMS_TOKEN_KEYS))[name], algorithm=tokens.ALGORITHM, headers={"kid": name})
    socket = ws().authenticated(soon_over, "appointments")
    with EventSource(server.host, EVENTS, Authorization=f"Bearer {soon_over}") as source:
        source.one("ready")
        assert source.one("bye", 30)["reason"] == "session"
    assert socket.closed(30) == UNKNOWN
    with EventSource(server.host, EVENTS, Authorization=f"Bearer {soon_over}") as refused:
        assert refused.status == 401


def test_a_stream_ends_with_its_role(server: Server, riverside: Clinic, sse: Callable[..., EventSource]) -> None:
    state = "UPDATE core_membership SET state = %s WHERE clinic_id = %s AND user_id = (SELECT id FROM core_user WHERE email = %s)"
    source = sse(DOCTOR)
    riverside.connection.execute(state, ["ended", riverside.id, DOCTOR])
    try:
        assert source.one("bye", 30)["reason"] == "session"
    finally:
        riverside.connection.execute(state, ["active", riverside.id, DOCTOR])


def test_nobody_opens_streams_without_end(server: Server, ws: Callable[..., Socket]) -> None:
    """Each process lets one person have so many; connections are spread over the processes as the system likes."""
    caller = Caller(server, "pharmacist@riverside.demo")
    opened, refused = [], None
    for _ in range(3 * PER_CLIENT):
        source = EventSource(server.host, f"{EVENTS}?channels=appointments", Authorization=f"Bearer {caller.token}")
        opened.append(source)
        if source.status != 200:
            refused = source
            break
    assert refused is not None and refused.status == 429
    assert refused.body["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert int(refused.response.getheader("Retry-After", "0")) > 0
    codes = set()
    for _ in range(2 * PER_CLIENT):
        socket = ws()
        socket.say(type="auth", token=caller.token)
        socket.until(lambda frames: frames)
        if socket.frames[0]["type"] == "error":
            codes.add(socket.closed())
            break
    assert codes == {TOO_MANY}
    for one in opened:
        one.close()


def test_who_asks_for_more_is_told_nothing_twice(riverside: Clinic, ws: Callable[..., Socket], token: Callable[[str], str]) -> None:
    socket = ws().authenticated(token(DESK), "appointments")
    riverside.change()
    first = socket.one("event")["id"]
    riverside.patient_changes()
    socket.say(type="subscribe", channels=["appointments", "patients"], last_event_id=first - 1)
    socket.until(lambda frames: [one for one in frames if one["type"] == "event" and one["channel"] == "patients"])
    assert len(socket.ids) == len(set(socket.ids))
    socket.say(type="subscribe", channels=["appointments"], last_event_id=str(first))
    assert "last_event_id" in socket.one("error")["message"]


# --- Sockets ------------------------------------------------------------
def test_a_socket_says_who_it_is_first(ws: Callable[..., Socket], token: Callable[[str], str]) -> None:
    bad = ws()
    bad.say(type="auth", token="none")
    assert bad.one("error")["code"] == "AUTHENTICATION_ERROR" and bad.closed() == UNKNOWN
    early = ws()
    early.say(type="subscribe", channels=["appointments"])
    assert early.closed() == UNKNOWN
    elsewhere = ws()
    elsewhere.say(type="auth", token=token(DESK), clinic="hillcrest")
    assert elsewhere.closed() == NOT_ALLOWED
    silent = ws()
    assert silent.closed(15) == TOO_SLOW


def test_a_page_of_ours_brings_its_cookie_and_nobody_else_s_does(server: Server, ws: Callable[..., Socket]) -> None:
    reader = Reader(server, DESK)
    jar = next(one for one in reader.opener.handlers if hasattr(one, "cookiejar")).cookiejar
    cookies = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in jar)}
    page = ws(additional_headers=cookies, origin=server.url)
    page.say(type="subscribe", channels=["appointments"])
    assert page.one("subscribed")["channels"] == ["appointments"]
    program = ws(additional_headers=cookies)
    program.say(type="auth")
    assert program.closed() == UNKNOWN
    for origin in ("https://evil.example", server.url.replace("http", "https") + ".evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            ws(additional_headers=cookies, origin=origin)
        assert refused.value.response.status_code == 403


def test_what_is_no_frame_is_answered_and_too_much_is_not(
    riverside: Clinic, ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    socket = ws().authenticated(token(DESK))
    for nonsense in ("{", "[]", '"x"', "null", '{"type": 7}', '{"type": "subscribe"}', '{"type":"subscribe","channels":[1]}'):
        socket.connection.send(nonsense)
    socket.until(lambda frames: len([one for one in frames if one["type"] == "error"]) == 7)
    socket.say(type="subscribe", channels=["secrets"])
    socket.until(lambda frames: frames[-1].get("code") == "BAD_REQUEST")
    socket.say(type="ping")
    socket.one("pong")
    socket.say(type="subscribe", channels=["appointments"])
    socket.one("subscribed")
    riverside.change()
    socket.one("event")
    socket.say(type="unsubscribe", channels=["appointments"])
    socket.until(lambda frames: frames[-1].get("channels") == [])
    riverside.change()
    socket.say(type="ping")
    socket.until(lambda frames: len([one for one in frames if one["type"] == "pong"]) == 2)
    assert len(socket.events) == 1
    socket.connection.send("x" * (LONGEST_FRAME + 1))
    assert socket.closed() == TOO_LONG
    flood = ws().authenticated(token(DESK))
    for _ in range(100):
        try:
            flood.say(type="ping")
        except Exception:
            break
    assert flood.closed() == TOO_MANY


def test_there_is_a_socket_at_its_address_alone(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Socket(server.host, "/elsewhere/")
    assert refused.value.response.status_code == 403


# --- What it costs ------------------------------------------------------------
def test_streams_hold_no_connection_to_the_database(
    server: Server, riverside: Clinic, sse: Callable[..., EventSource], ws: Callable[..., Socket], token: Callable[[str], str]
) -> None:
    """More of them than the pools of both processes have connections."""
    emails = (DESK, "clinic-admin@riverside.demo", "medical-assistant@riverside.demo")
    readers = [*(sse(email) for email in emails for _ in range(6)),
               *(ws().authenticated(token(email), "appointments") for email in emails for _ in range(6))]  # fmt: skip
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %%'"
    eventually(lambda: riverside._one(busy) == 0)
    assert Caller(server, DESK).get("/api/v2/appointments?limit=1").status == 200
    riverside.change()
    for reader in readers:
        reader.one("event")


def test_health_says_whether_they_work(server: Server) -> None:
    connection = HTTPConnection(server.host, timeout=10)
    connection.request("GET", "/api/sse/health")
    answer = connection.getresponse()
    assert answer.status == 200 and b'"listening":true' in answer.read()
    connection.close()


def test_an_address_holds_few_doors_open_without_saying_who_it_is(ws: Callable[..., Socket], token: Callable[[str], str]) -> None:
    """Others come in meanwhile."""
    opened = [ws(source_address=("127.0.0.2", 0)) for _ in range(2 * UNKNOWN_OF_ONE + 1)]  # two processes
    eventually(lambda: any(one.close_code == TOO_MANY for one in opened))
    ws().authenticated(token(DESK), "appointments")
