"""Tokens that were stolen, forged or changed, and a clinic's name that doesn't belong in them."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import jwt
import pytest
from django.conf import settings

from core.accounts import tokens
from core.accounts.auth_sessions import Ended, end_session
from core.accounts.models import User
from core.accounts.roles import Role
from tests.factories.api_client import ApiClient
from tests.factories.callers import PASSWORD, Caller
from tests.factories.patience import eventually
from tests.factories.server import Server
from tests.factories.world import Place

NAME, SECRET = settings.HMS_TOKEN_KEYS[0].split(":", 1)
ME = "/api/v2/auth/me"
OFTEN = 24  # requests on connections of their own: every process answers some of them


@pytest.fixture
def nurse(riverside: Place) -> User:
    return riverside.users[Role.NURSE]


@pytest.fixture
def said(nurse: User) -> dict[str, Any]:
    """What a good access token says."""
    return claims(tokens.issue(nurse, clinic_id=None).access)


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def signed(said: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.encode(said, secret, algorithm=algorithm, headers={"kid": NAME, **header})


def status(token: str, path: str = "auth/me") -> int:
    answer = ApiClient().get(path, Authorization=f"Bearer {token}")
    return int(answer.status_code)


def test_what_is_forged_here_would_pass_if_it_were_signed_right(said: dict[str, Any]) -> None:
    assert status(signed(said)) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example.org"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": ["hms-api", "somebody-else"]},
        {"typ": "refresh"},
        {"typ": "id"},
        {"sid": "0a63819c-a994-452e-81e2-da4fd7feebfc"},
        {"sid": "1"},
        {"sid": None},
        {"sub": "d934945f-6c6a-4066-b9fd-30c82169215e"},
        {"sub": "1"},
        {"sub": None},
        {"clinic": 7},
        {"exp": "tomorrow"},
        {"exp": None},
        {"iat": None},
        {"jti": None},
    ],
    ids=str,
)
def test_any_other_claim_is_refused(said: dict[str, Any], change: dict[str, Any]) -> None:
    changed = {name: value for name, value in {**said, **change}.items() if value is not None}
    assert status(signed(changed)) == 401


def test_another_persons_name_on_ones_own_session_is_refused(riverside: Place, said: dict[str, Any]) -> None:
    assert status(signed({**said, "sub": str(riverside.users[Role.CLINIC_ADMIN].pk)})) == 401


@pytest.mark.parametrize("name", ["2", "", "../../etc/passwd", "' OR 1=1"])
def test_a_key_that_there_is_not_is_refused(said: dict[str, Any], name: str) -> None:
    assert status(signed(said, kid=name)) == 401


def test_another_installations_token_is_refused(said: dict[str, Any]) -> None:
    assert status(signed(said, secret="x" * 48)) == 401


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_right_key_by_another_algorithm_is_refused(said: dict[str, Any], algorithm: str) -> None:
    assert status(signed(said, algorithm=algorithm)) == 401


@pytest.mark.parametrize("spelt", ["none", "None", "nOnE", ""])
def test_no_signature_is_refused(said: dict[str, Any], spelt: str) -> None:
    parts = ({"alg": spelt, "typ": "JWT", "kid": NAME}, said)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    good = signed(said).rsplit(".", 1)[1]
    for signature in ("", good):
        assert status(f"{head}.{body}.{signature}") == 401


def test_a_changed_letter_is_refused(said: dict[str, Any]) -> None:
    good = signed(said)
    for place in (5, len(good) // 2, len(good) - 5):
        other = "A" if good[place] != "A" else "B"
        assert status(good[:place] + other + good[place + 1 :]) == 401


@pytest.mark.parametrize(
    ("name", "seconds", "expected"), [("exp", -25, 200), ("exp", -45, 401), ("iat", 25, 200), ("iat", 60, 401)]
)
def test_clocks_may_differ_by_half_a_minute(said: dict[str, Any], name: str, seconds: int, expected: int) -> None:
    assert status(signed({**said, name: int(time.time()) + seconds})) == expected


def test_a_token_that_was_good_expires_although_it_is_remembered(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    good = signed(said)
    assert status(good) == 200
    later = time.time() + tokens.access_seconds() + tokens.LEEWAY + 1
    monkeypatch.setattr("core.accounts.tokens.time.time", lambda: later)
    assert status(good) == 401


def test_a_refresh_token_is_no_access_token_nor_the_other_way_round(nurse: User) -> None:
    pair = tokens.issue(nurse, clinic_id=None)
    assert status(pair.refresh) == 401
    assert ApiClient().post("auth/token/refresh", {"refresh": pair.access}).status_code == 401


def test_the_ring_takes_a_new_key_in_and_an_old_one_out(nurse: User, settings: Any) -> None:
    old = tokens.issue(nurse, clinic_id=None).access
    settings.HMS_TOKEN_KEYS = ["new:" + "n" * 40, *settings.HMS_TOKEN_KEYS]
    new = tokens.issue(nurse, clinic_id=None).access
    assert jwt.get_unverified_header(new)["kid"] == "new"
    assert (status(old), status(new)) == (200, 200)
    settings.HMS_TOKEN_KEYS = settings.HMS_TOKEN_KEYS[:1]
    assert (status(old), status(new)) == (401, 200)


def test_another_clinics_name_in_a_token_opens_nothing(hillcrest: Place, said: dict[str, Any]) -> None:
    token = signed({**said, "clinic": str(hillcrest.clinic.pk)})
    for path in ("auth/me", "locations", "patients"):
        answer = ApiClient().get(path, Authorization=f"Bearer {token}")
        assert answer.status_code == 403
        assert hillcrest.clinic.name not in answer.content.decode()


def test_a_lost_answer_is_given_again_and_both_end_with_one_token(nurse: User) -> None:
    first = tokens.issue(nurse, clinic_id=None)
    again = [refresh(first.refresh) for _ in range(3)]
    assert [one.status_code for one in again] == [200, 200, 200]
    assert len({one.json()["data"]["refresh"] for one in again}) == 1
    assert {status(one.json()["data"]["access"]) for one in again} == {200}
    newest = again[0].json()["data"]["refresh"]
    assert newest != first.refresh
    assert refresh(newest).status_code == 200


def test_a_refresh_token_of_an_ended_session_is_refused_and_ends_nothing_else(nurse: User) -> None:
    pair, other = tokens.issue(nurse, clinic_id=None), tokens.issue(nurse, clinic_id=None)
    end_session(UUID(claims(pair.refresh)["sid"]), user_id=nurse.pk, why=Ended.BY_PERSON)
    assert refresh(pair.refresh).status_code == 401
    assert status(other.access) == 200


def refresh(token: str) -> Any:
    return ApiClient().post("auth/token/refresh", {"refresh": token})


# --- Over a running HMS, several processes of it ----------------------------------------------------------------------------


class Program(Caller):
    """A program of the demo's receptionist that keeps its refresh token."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, "receptionist@riverside.demo")
        self.token = ""
        self.take(self.send("POST", "/api/v2/auth/token", {"email": "receptionist@riverside.demo", "password": PASSWORD}))

    def take(self, reply: Any) -> None:
        self.token, self.refresh = (reply.body["data"][name] for name in ("access", "refresh"))

    def refreshed(self, token: str) -> Any:
        bearer, self.token = self.token, ""
        try:
            return self.send("POST", "/api/v2/auth/token/refresh", {"refresh": token})
        finally:
            self.token = bearer

    def statuses(self) -> set[int]:
        return {self.get(ME).status for _ in range(OFTEN)}

    @property
    def session_id(self) -> str:
        return str(claims(self.token)["sid"])


@pytest.fixture
def program(server: Server) -> Iterator[Program]:
    made = Program(server)
    yield made
    made.send("POST", "/api/v2/auth/logout", {})


def ended(server: Server, program: Program) -> str:
    with server.connect() as connection:
        (why,) = connection.execute("SELECT ended_reason FROM core_authsession WHERE id = %s", [program.session_id]).fetchone()  # type: ignore[misc]
        return str(why)


def notices(server: Server) -> int:
    with server.connect() as connection:
        (count,) = connection.execute("SELECT count(*) FROM core_outgoingmessage WHERE kind = 'notice'").fetchone()  # type: ignore[misc]
        return int(count)


def age(server: Server, program: Program) -> None:
    """As if the last refresh had been longer ago than answers get lost."""
    with server.connect() as connection:
        connection.execute(
            "UPDATE core_authsession SET rotated_at = rotated_at - interval '11 seconds' WHERE id = %s", [program.session_id]
        )


def warmed(program: Program) -> None:
    """Every process knows the token by heart."""
    eventually(lambda: all(program.get(ME).queries == 0 for _ in range(OFTEN)))


@pytest.mark.slow
@pytest.mark.server
def test_a_stolen_refresh_token_ends_the_session_for_thief_and_owner(server: Server, program: Program) -> None:
    stolen = program.refresh
    program.take(program.refreshed(stolen))
    warmed(program)
    age(server, program)
    before = notices(server)
    answer = program.refreshed(stolen)
    assert (answer.status, answer.body["error"]["code"]) == (401, "AUTHENTICATION_ERROR")
    assert ended(server, program) == "reused"
    assert program.statuses() == {401}
    assert program.refreshed(program.refresh).status == 401
    with server.connect() as connection:
        found = connection.execute(
            "SELECT route FROM core_securityevent WHERE kind = 'token_reused' AND person_id = %s", [claims(program.token)["sub"]]
        ).fetchall()
    assert found == [("POST /api/v2/auth/token/refresh",)]
    assert {program.refreshed(stolen).status for _ in range(3)} == {401}
    assert notices(server) == before + 1, "the person is told once, whatever comes of the request"


@pytest.mark.slow
@pytest.mark.server
def test_a_thief_who_is_first_is_found_out_when_the_owner_comes(server: Server, program: Program) -> None:
    thief = Program.__new__(Program)
    thief.server, thief.token = server, ""
    thief.take(program.refreshed(program.refresh))
    age(server, program)
    assert program.refreshed(program.refresh).status == 401
    assert (thief.statuses(), thief.refreshed(thief.refresh).status) == ({401}, 401)


@pytest.mark.slow
@pytest.mark.server
def test_ten_at_once_with_one_token_get_one_successor(server: Server, program: Program) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: Program.refreshed(_copy(program), program.refresh), range(10)))
    assert {one.status for one in answers} == {200}
    assert len({one.body["data"]["refresh"] for one in answers}) == 1
    assert ended(server, program) == ""


def _copy(program: Program) -> Program:
    other = Program.__new__(Program)
    other.server, other.token = program.server, ""
    return other


@pytest.mark.slow
@pytest.mark.server
def test_a_session_that_was_ended_is_refused_at_once_in_every_process(server: Server, program: Program) -> None:
    other = Program(server)
    warmed(program)
    assert other.send("DELETE", f"/api/v2/auth/sessions/{program.session_id}").status == 204
    assert program.statuses() == {401}
    assert other.statuses() == {200}
    assert other.send("POST", "/api/v2/auth/logout", {}).status == 204
    assert other.statuses() == {401}
