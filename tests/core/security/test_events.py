"""The log of security events: what survives a refusal, how little an attack can write, and that nothing sent is in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from core.accounts.models import User
from core.accounts.roles import Role
from core.database.retention import outdated
from core.database.roles import connection_apart
from core.security import events, recorder
from core.security.models import AddressBlock, AddressStanding, SecurityEvent
from core.tenancy.context import platform_scope
from tests.attack.test_tokens import claims, signed
from tests.factories.api_client import ApiClient
from tests.factories.world import Place

STRANGER = "203.0.113.7"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a minute's budget of its own."""
    monkeypatch.setattr(recorder, "_budget", events.Budget())


def written() -> list[SecurityEvent]:
    with platform_scope(reason="test"):
        return list(SecurityEvent.objects.order_by("kind"))


def counted() -> dict[str, tuple[int, int]]:
    """How often, and for how many points, by kind: a minute that ends within a test begins another row."""
    found: dict[str, tuple[int, int]] = {}
    for one in written():
        count, points = found.get(one.kind, (0, 0))
        found[one.kind] = (count + one.count, points + one.points)
    return found


def test_a_failed_sign_in_is_written_although_the_request_is_rolled_back(client: Client, riverside: Place) -> None:
    email = riverside.users[Role.NURSE].email
    answer = client.post("/sign-in/", {"email": email, "password": "wrong"}, REMOTE_ADDR=STRANGER)
    assert answer.status_code == 422
    (event,) = written()
    assert (event.kind, event.address, event.count, event.points, event.route) == (
        "sign_in_failed",
        STRANGER,
        1,
        5,
        "POST /sign-in/",
    )
    assert event.request_id == answer["X-Request-ID"]


def test_trying_while_locked_is_another_event(riverside: Place) -> None:
    for _ in range(6):
        ApiClient().post("auth/token", {"email": riverside.users[Role.NURSE].email, "password": "wrong"})
    assert {kind: count for kind, (count, _) in counted().items()} == {"sign_in_failed": 5, "sign_in_locked": 1}


def test_a_forged_token_is_an_event_and_one_that_stopped_working_is_not(riverside: Place) -> None:
    user = User.objects.get(pk=riverside.users[Role.NURSE].pk)  # the fixture's own object is everybody's
    changed, closed = ApiClient(user), ApiClient(riverside.users[Role.DOCTOR])
    said = claims(changed.headers["Authorization"].removeprefix("Bearer "))
    expired = signed({**said, "iat": said["iat"] - 1000, "exp": said["iat"] - 100})
    assert ApiClient().get("auth/me", Authorization=f"Bearer {expired}").status_code == 401
    user.set_password("Another-Horse-2027")
    user.save()
    assert changed.get("auth/me").status_code == 401
    User.objects.filter(pk=riverside.users[Role.DOCTOR].pk).update(is_active=False)
    assert closed.get("auth/me").status_code == 401
    assert written() == []
    token = ApiClient(user).headers["Authorization"]
    for forged in ("Bearer forged", f"{token[:-4]}AAAA"):
        assert ApiClient().get("auth/me", Authorization=forged).status_code == 401
    assert counted() == {"token_refused": (2, 4)}


def test_nothing_that_was_sent_is_kept(client: Client, riverside: Place) -> None:
    client.get("/patients/Quartermaine'%20OR%201=1--/?mrn=RV-0000017%27%20UNION%20SELECT%201", REMOTE_ADDR=STRANGER)
    (event,) = written()
    assert event.kind == "pattern"
    assert {"sql.condition", "sql.union"} <= set(event.matched)
    with platform_scope(reason="test"), connections["platform"].cursor() as cursor:
        cursor.execute("SELECT core_securityevent::text FROM core_securityevent")
        ((row,),) = cursor.fetchall()
    assert "Quartermaine" not in row
    assert "0000017" not in row


def test_who_and_where_are_known_of_somebody_signed_in(sign_in: Any, riverside: Place) -> None:
    user = riverside.users[Role.RECEPTIONIST]
    assert sign_in(user).get("/?day=2026-01-01'--", REMOTE_ADDR=STRANGER).status_code < 500
    (event,) = written()
    assert (event.person_id, event.in_clinic, event.route) == (user.pk, riverside.clinic.pk, "GET /")


def recorded(rf: Any, points: list[int], address: str = STRANGER) -> None:
    for number, each in enumerate(points):
        request = rf.get("/", REMOTE_ADDR=address)
        recorder.record(request, SecurityEvent.Kind.PATTERN, matched=[f"rule.{number % 2}"], points=each)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The recorder's clock; it stands still until a test puts another time in."""
    now = [datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)]
    monkeypatch.setattr(recorder.timezone, "now", lambda: now[0])
    return now


def points_of(address: str) -> float:
    with platform_scope(reason="test"):
        return sum(AddressStanding.objects.filter(network=address).values_list("points", flat=True))


def test_one_row_for_each_address_kind_and_minute(world: Any, rf: Any, clock: list[datetime]) -> None:
    recorded(rf, [1] * 40)
    (row,) = written()
    assert (row.count, row.points, row.matched) == (30, 30, ["rule.0", "rule.1"])
    recorded(rf, [1] * 10)
    assert [one.count for one in written()] == [50]


def test_each_occurrence_costs_its_own_points(world: Any, rf: Any, clock: list[datetime]) -> None:
    recorded(rf, [0] * 10 + [1] * 19 + [40])
    assert points_of(STRANGER) == 59
    assert [(one.count, one.points) for one in written()] == [(30, 59)]


def test_what_a_minute_leaves_is_charged_with_the_next(world: Any, rf: Any, clock: list[datetime]) -> None:
    recorded(rf, [1] * 29)
    assert points_of(STRANGER) == 10
    clock[0] += timedelta(minutes=1)
    recorded(rf, [1], "203.0.113.99")
    clock[0] += timedelta(minutes=1)
    recorded(rf, [1])
    assert 25 < points_of(STRANGER) < 30  # the first ten halve with time
    assert sum(one.count for one in written() if one.address == STRANGER) == 30


def test_nobody_pays_for_others_who_share_a_row(
    world: Any, rf: Any, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ROWS", 1)
    recorded(rf, [40], "203.0.113.1")
    others = [f"203.0.113.{number}" for number in range(2, 32)]
    for other in others:
        recorded(rf, [5], other)
    assert {points_of(other) for other in others} == {0, 5}
    assert {one.address: (one.count, one.points) for one in written()} == {"203.0.113.1": (1, 40), "": (30, 150)}


@pytest.mark.parametrize(("site", "points"), [("cross-site", 0), ("same-site", 0), ("same-origin", 40), ("none", 40), ("", 40)])
def test_another_sites_page_can_not_make_its_visitors_earn_points(client: Client, world: Any, site: str, points: int) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"} if site else {}
    assert client.get("/wp-login.php?1", headers=headers, REMOTE_ADDR=STRANGER).status_code == 404
    assert [(one.kind, one.points) for one in written()] == [("decoy", points)]
    assert points_of(STRANGER) == points


def test_a_wrong_password_costs_points_whatever_the_browser_says(client: Client, riverside: Place) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    client.post("/sign-in/", {"email": "nobody@example.org", "password": "wrong"}, headers=headers, REMOTE_ADDR=STRANGER)
    assert points_of(STRANGER) == 5


def test_an_attack_from_many_addresses_writes_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ROWS", 20)
    budget, now = events.Budget(), timezone.now()
    happened = [events.Happened(SecurityEvent.Kind.DECOY, f"2001:db8:{number:x}::/64", points=40) for number in range(500)]
    written = [due for one in happened if (due := budget.admit(one, now))]
    assert len({due.address for due in written}) == 21
    assert sum(due.times for due in written if not due.address) >= 460
    assert len(written) < 60, "statements for 500 requests"
    first = budget.admit(happened[0], now + timedelta(minutes=1))
    assert first == events.Due(happened[0].address, times=1, points=40, charged=40)


def test_what_is_owed_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ROWS", 20)
    budget, now = events.Budget(), timezone.now()
    for number in range(100):
        happened = events.Happened(SecurityEvent.Kind.DECOY, f"2001:db8:{number:x}::/64", points=40)
        for _ in range(events.AT_ONCE + 1):
            budget.admit(happened, now + timedelta(minutes=number))
    assert len(budget._owed) == 20


def test_the_request_goes_on_while_the_database_is_away(client: Client, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def away(*_: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(recorder, "write", away)
    assert client.get("/.env").status_code == 404


def test_maintenance_deletes_what_is_old(django_db_blocker: Any, world: Any, settings: Any) -> None:
    settings.HMS_SECURITY_EVENT_DAYS = 30
    long_ago = timezone.now() - timedelta(days=31)
    with connection_apart("hms_maintenance") as connection, connection.transaction(force_rollback=True):
        insert = "INSERT INTO core_securityevent VALUES (gen_random_uuid(), 'decoy', '', %s, 1, 0, '{}', '', NULL, NULL, '')"
        connection.execute(insert, [long_ago])
        connection.execute(insert, [timezone.now()])
        due = [task for task in outdated(connection) if "securityevent" in task[1]]
        assert [reason for _, _, reason in due] == ["1 rows older than 30 days"]
        connection.execute(due[0][0])
        assert connection.execute("SELECT count(*) FROM core_securityevent WHERE minute < now() - interval '1 day'").fetchone() == (
            0,
        )
        assert [task for task in outdated(connection) if "securityevent" in task[1]] == []


def test_the_tables_hold_no_clinic_and_no_text_of_requests() -> None:
    names = {field.name for model in (SecurityEvent, AddressStanding, AddressBlock) for field in model._meta.get_fields()}
    assert not names & {"path", "query", "body", "payload", "user_agent", "headers", "email"}
