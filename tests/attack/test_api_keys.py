"""Keys that were made up, stolen, or sent where none belongs."""

import logging
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from django.test import Client

from core.accounts.api_keys.scopes import SCOPES
from core.accounts.api_keys.text import new_text
from core.accounts.roles import Role
from core.security.models import SecurityEvent
from core.tenancy.context import platform_scope
from hms.simulation.calling import Caller
from tests.factories.api_client import ApiClient
from tests.factories.api_keys import api_key, made_key, turn_back
from tests.factories.patience import eventually
from tests.factories.server import Server
from tests.factories.world import Place

OFTEN = 24  # requests on connections of their own: every process answers some of them


@pytest.fixture
def key(riverside: Place) -> str:
    return api_key(riverside, *SCOPES)


def status(credential: str, path: str = "clinics") -> int:
    return int(ApiClient().get(path, Authorization=credential).status_code)


@pytest.mark.parametrize("scheme", ["Api-Key", "api-key", "API-KEY"])
def test_the_scheme_has_no_case(key: str, scheme: str) -> None:
    assert status(f"{scheme} {key}") == 200


@pytest.mark.parametrize("name", ["api_key", "key", "apikey", "authorization", "token", "access_token"])
def test_a_key_in_the_address_opens_nothing(key: str, name: str) -> None:
    assert ApiClient().get(f"clinics?{name}={key}").status_code == 401
    assert ApiClient().get(f"clinics?{name}=Api-Key%20{key}").status_code == 401


def test_a_key_in_another_place_opens_nothing(key: str) -> None:
    assert [ApiClient().get("clinics", **{name: key}).status_code for name in ("X_API_Key", "Api_Key", "Cookie")] == [401] * 3
    assert ApiClient().request("POST", "patients/search", {"search": "a", "api_key": key}).status_code == 401


@pytest.mark.parametrize("spelt", ["{0}", "Bearer {0}", "Basic {0}", "Token {0}", "Api-Key", "Api-Key {0} {0}", "Api-Key={0}"])
def test_a_key_under_another_scheme_opens_nothing(key: str, spelt: str) -> None:
    assert status(spelt.format(key)) == 401


def test_two_credentials_are_refused(key: str, riverside: Place) -> None:
    """A server joins two headers by a comma, as RFC 9110 says."""
    token = ApiClient(riverside.users[Role.NURSE]).headers["Authorization"]
    other = api_key(riverside, "clinic:view")
    for both in (f"Api-Key {key},Api-Key {other}", f"Api-Key {key}, {token}", f"{token}, Api-Key {key}"):
        assert status(both) == 401


@pytest.mark.parametrize("change", ["secret", "account", "shorter", "longer", "upper"])
def test_a_changed_key_is_refused(riverside: Place, change: str) -> None:
    key, text = made_key(riverside)
    other, _ = made_key(riverside)
    forged = {
        "secret": new_text(key.user_id),
        "account": text.replace(key.user_id.hex, other.user_id.hex),
        "shorter": text[:-1],
        "longer": text + "a",
        "upper": text.upper(),
    }[change]
    assert status(f"Api-Key {text}") == 200
    assert status(f"Api-Key {forged}") == 401


def test_a_made_up_key_is_charged_and_an_expired_one_is_not(riverside: Place) -> None:
    def charged() -> int:
        with platform_scope(reason="test"):
            events = SecurityEvent.objects.filter(kind=SecurityEvent.Kind.TOKEN_REFUSED, address="203.0.113.94")
            return sum(events.values_list("count", flat=True))

    def ask(text: str) -> int:
        return int(
            Client(REMOTE_ADDR="203.0.113.94").get("/api/v2/clinics", headers={"Authorization": f"Api-Key {text}"}).status_code
        )

    key, text = made_key(riverside)
    assert (ask(new_text(key.user_id)), charged()) == (401, 1)
    turn_back(riverside, key, expires_at={"days": 1})
    assert (ask(text), charged()) == (401, 1)


def test_somebodys_session_beside_a_key_counts_for_nothing(riverside: Place) -> None:
    browser = Client()
    browser.force_login(riverside.users[Role.CLINIC_ADMIN])
    given = {"Authorization": f"Api-Key {api_key(riverside, 'slot:view')}"}
    assert browser.get("/api/v2/patients").status_code == 200
    assert browser.get("/api/v2/patients", headers=given).status_code == 403
    assert browser.get("/settings/api-keys/", headers=given).status_code == 403


@pytest.mark.parametrize("path", ["auth/me", "auth/sessions"])
def test_a_key_has_no_account_to_look_after(key: str, path: str) -> None:
    assert status(f"Api-Key {key}", path) == 403


@pytest.mark.parametrize("path", ["/patients/", "/", "/account/security/", "/admin/", "/sign-in/"])
def test_a_key_opens_no_page_whatever_its_scopes(key: str, path: str) -> None:
    assert Client().get(path, headers={"Authorization": f"Api-Key {key}"}).status_code == 403


def test_a_key_gets_no_tokens_and_ends_no_session(key: str) -> None:
    client = ApiClient(key=key)
    assert client.post("auth/logout").status_code == 403
    assert client.post("auth/token", {}).status_code == 400
    assert client.post("auth/token/refresh", {"refresh": key}).status_code == 401


def test_nothing_of_a_key_is_logged(key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for credential in (f"Api-Key {key}", f"Api-Key {key}x", f"Bearer {key}"):
        ApiClient().get(f"clinics?api_key={key}", Authorization=credential)
    ApiClient(key=key).post("patients", {"given_name": key})
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert key not in said and key.rpartition("_")[2] not in said


def test_keys_are_counted_each_for_itself(riverside: Place, settings: Any) -> None:
    settings.HMS_RATE_USER = "3/m"
    one, other = (ApiClient(key=api_key(riverside)) for _ in range(2))
    assert [one.get("clinics").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert other.get("clinics").status_code == 200


# --- Over a running HMS, several processes of it ----------------------------------------------------------------------------
@pytest.fixture
def system(server: Server) -> Iterator[Caller]:
    """Another system, with a key that an operator has made."""
    made = Caller(server.host)
    made.key = server.manage("api_key", "create", "--clinic=riverside", "--name=Night job", "--scopes=service:view").strip()  # type: ignore[attr-defined]
    yield made
    if end := key_id(server):
        server.manage("api_key", "end", end, "--clinic=riverside")


def key_id(server: Server) -> str:
    lines = [one for one in server.manage("api_key", "list", "--clinic=riverside").splitlines() if "Night job  in use" in one]
    return lines[0].split()[0] if lines else ""


@pytest.mark.slow
@pytest.mark.server
def test_an_ended_key_is_refused_at_once_in_every_process(server: Server, system: Any) -> None:
    ask = lambda: system.get("/api/v2/services", Authorization=f"Api-Key {system.key}")  # noqa: E731
    eventually(lambda: all(ask().queries == 0 for _ in range(OFTEN)))  # every process knows it by heart
    other = server.manage("api_key", "create", "--clinic=riverside", "--name=Day job", "--scopes=clinic:view").strip()
    assert {system.get("/api/v2/services", Authorization=f"Api-Key {other}").status for _ in range(OFTEN)} == {403}
    server.manage("api_key", "end", key_id(server), "--clinic=riverside")
    eventually(lambda: all(ask().status == 401 for _ in range(OFTEN)))
    assert {ask().status for _ in range(OFTEN)} == {401}
    assert system.key.encode() not in server.log.read_bytes()


@pytest.mark.slow
@pytest.mark.server
def test_two_headers_are_refused(server: Server, system: Any) -> None:
    connection = HTTPConnection(server.host, timeout=20)
    connection.putrequest("GET", "/api/v2/services")
    for _ in range(2):
        connection.putheader("Authorization", f"Api-Key {system.key}")
    connection.endheaders()
    assert connection.getresponse().status in (400, 401)
    connection.close()
    assert system.get(f"/api/v2/services?api_key={system.key}").status == 401
    assert system.get("/api/v2/services", Authorization=f"Api-Key {system.key}").status == 200
    assert system.key.encode() not in server.log.read_bytes()
