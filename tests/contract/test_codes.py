"""Every code of the contract, provoked over HTTP. The table in `core/api/codes.py` is the one that the document is made from."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from rest_framework import exceptions

from core.accounts.roles import Role
from core.api import codes
from core.api.codes import CODES, Code
from core.api.errors import CODES as DRF_CODES
from core.api.versioning import IN_PATHS
from core.errors import DomainError
from tests.factories.api_client import ApiClient
from tests.factories.bodies import appointment
from tests.factories.databases import no_database
from tests.factories.openapi import document, operations
from tests.factories.patience import eventually
from tests.factories.server import ROOT
from tests.factories.world import Place

NOBODYS = "01890a5d-ac96-774b-bcce-b302099a8057"
KEYS = {"code", "message", "details", "request_id", "timestamp"}
SECRET = "nobody may read this"


def admin(place: Place) -> ApiClient:
    return ApiClient(place.users[Role.CLINIC_ADMIN], place.clinic)


def conflict(place: Place, prefix: str) -> Any:
    body = appointment(place)
    admin(place).post(f"{prefix}appointments", body)
    return admin(place).post(f"{prefix}appointments", body)


def fault_of_ours(place: Place, prefix: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clinics.api.views.LocationsView.filtered", lambda *_: {}[SECRET])
        return admin(place).get(f"{prefix}locations?is_active=true&ordering=-created")


def too_many(place: Place, prefix: str) -> Any:
    from core.security.limiting.limiter import limiter

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.HMS_RATE_USER", "1/m")
        limiter.memory.clear()
        api = admin(place)
        api.get(f"{prefix}locations")
        answer = api.get(f"{prefix}locations")
    limiter.memory.clear()
    return answer


def away(place: Place, prefix: str) -> Any:
    api = admin(place)
    with no_database("default", "platform") as come_back:
        answer = api.get(f"{prefix}services?ordering=-id")
        breakers = [connections[alias].guard.breaker for alias in ("default", "platform")]
        come_back()
        eventually(lambda: not any(one.state.is_open for one in breakers))
    return answer


PROVOKED: dict[str, Callable[[Place, str], Any]] = {
    "VALIDATION_ERROR": lambda p, at: admin(p).post(f"{at}locations", {}),
    "BAD_REQUEST": lambda p, at: admin(p).get(f"{at}locations?no_such_thing=1"),
    "AUTHENTICATION_ERROR": lambda p, at: ApiClient().get(f"{at}locations"),
    "AUTHORIZATION_ERROR": lambda p, at: ApiClient(p.users[Role.RECEPTIONIST]).post(f"{at}services", {}),
    "NOT_FOUND": lambda p, at: admin(p).get(f"{at}locations/{NOBODYS}"),
    "METHOD_NOT_ALLOWED": lambda p, at: admin(p).request("PUT", f"{at}locations", {}),
    "CONFLICT": conflict,
    "PRECONDITION_FAILED": lambda p, at: admin(p).patch(f"{at}locations/{p.locations[0].pk}", {"name": "X"}, If_Match='"999-ab"'),
    "PAYLOAD_TOO_LARGE": lambda p, at: admin(p).post(f"{at}locations", {"name": "x" * 1_100_000}),
    "UNSUPPORTED_MEDIA_TYPE": lambda p, at: admin(p).client.post(f"{at}locations", "x", "text/plain", headers=admin(p).headers),
    "RATE_LIMIT_EXCEEDED": too_many,
    "INTERNAL_ERROR": fault_of_ours,
    "SERVICE_UNAVAILABLE": away,
}


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("CRITICAL"):
        yield


@pytest.mark.parametrize("prefix", [f"/api/{name}/" for name in IN_PATHS.values()])
@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_code_comes_with_its_status_and_shape(code: Code, prefix: str, riverside: Place, quiet: None) -> None:
    assert code.name in PROVOKED, "show here how it is provoked"
    answer = PROVOKED[code.name](riverside, prefix)
    assert answer.status_code == code.status, answer.content
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"} and set(error) - {"alternatives", "duplicates", "status", "current_version"} == KEYS
    assert error["code"] == code.name
    assert error["request_id"] == answer["X-Request-ID"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error["timestamp"])
    assert answer["Content-Type"] == "application/json"
    shared = document("1.0" if "v1" in prefix else "2.0")["components"]
    for name, one in shared["responses"][str(code.status)]["headers"].items():
        needed = (shared["headers"][name] if "$ref" in one else one)["required"]
        assert not needed or name in answer, f"{code.name} comes without {name}"


def test_a_fault_of_ours_says_nothing_but_the_request_id(riverside: Place, quiet: None) -> None:
    answer = fault_of_ours(riverside, "/api/v2/")
    assert answer.status_code == 500
    assert SECRET not in answer.content.decode()
    error = answer.json()["error"]
    assert (error["details"], set(error)) == ([], KEYS)


def test_what_is_raised_anywhere_is_in_the_table() -> None:
    def below(cls: type[DomainError]) -> Iterator[type[DomainError]]:
        yield cls
        for one in cls.__subclasses__():
            yield from below(one)

    known = {(code.name, code.status) for code in CODES}
    assert {(error.code, error.status) for error in below(DomainError)} <= known
    assert set(DRF_CODES.values()) <= {name for name, _ in known}
    every = {one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, exceptions.APIException)}
    assert every - {exceptions.APIException} == set(DRF_CODES), "give the new exception of DRF a code"


@pytest.mark.parametrize("version", IN_PATHS)
def test_the_document_says_the_same(version: str) -> None:
    shared = document(version)["components"]
    assert shared["schemas"]["Error"]["properties"]["code"]["enum"] == [code.name for code in CODES]
    assert set(shared["responses"]) == {str(status) for status in codes.STATUSES}
    said: set[str] = set()
    for operation in operations(version):
        said |= {status for status in operation.spec["responses"] if status >= "400"}
    assert said == set(shared["responses"])


def test_the_integrators_guide_lists_every_code() -> None:
    guide = (ROOT / Path("docs/integrators.md")).read_text()
    rows = [line for line in guide.splitlines() if line.startswith("|")]
    missing = [c.name for c in CODES if not any(f"`{c.name}`" in row and str(c.status) in row for row in rows)]
    assert not missing
