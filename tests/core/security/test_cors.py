"""Scripts of listed origins may call the API with tokens of their own; of others, and anywhere else, nothing is allowed."""

from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from tests.factories.world import Place

LISTED, OTHER = "https://app.example", "https://evil.example"
BEFORE = "core.security.transport.PlainHTTPMiddleware"
ALLOW = "Access-Control-Allow-Origin"


@pytest.fixture
def caller(settings: Any) -> Client:
    """As hms.settings has it when HMS_CORS_ORIGINS names an origin."""
    line = list(settings.MIDDLEWARE)
    line.insert(line.index(BEFORE), "corsheaders.middleware.CorsMiddleware")
    settings.MIDDLEWARE, settings.CORS_ALLOWED_ORIGINS = line, [LISTED]
    return Client()


def preflight(caller: Client, path: str, origin: str, method: str = "PATCH", names: str = "authorization, if-match") -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": names}
    return caller.options(path, headers=headers)


def test_a_listed_origin_is_told_what_it_may_send(caller: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = preflight(caller, "/api/v2/patients", LISTED)
    assert answer.status_code == 200
    assert answer[ALLOW] == LISTED
    assert "PATCH" in answer["Access-Control-Allow-Methods"]
    for name in ("authorization", "if-match", "idempotency-key", "x-clinic-id", "content-type"):
        assert name in answer["Access-Control-Allow-Headers"]
    assert "Origin" in answer["Vary"].title()
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "http://app.example",
        "https://app.example.evil.example",
        "https://app.example:8443",
        "null",
        "",
        "https://app.example@evil.example",
    ],
)
def test_another_origin_is_told_nothing(caller: Client, origin: str, riverside: Place, api: Any) -> None:
    answer = preflight(caller, "/api/v2/patients", origin)
    assert ALLOW not in answer
    assert "Access-Control-Allow-Headers" not in answer
    assert "Origin" in answer["Vary"].title()
    assert ALLOW not in caller.get("/api/v2/auth/me", headers={"Origin": origin})


@pytest.mark.parametrize("path", ["/sign-in/", "/admin/", "/static/css/tokens.css", "/"])
def test_outside_the_api_nothing_is_shared(caller: Client, path: str) -> None:
    assert ALLOW not in preflight(caller, path, LISTED)
    assert ALLOW not in caller.get(path, headers={"Origin": LISTED})


def test_an_answer_shows_its_headers_to_a_listed_origin(caller: Client, riverside: Place, api: Any) -> None:
    answer = caller.get("/api/v2/services", headers={"Origin": LISTED, **api(riverside.users[Role.RECEPTIONIST]).headers})
    assert answer.status_code == 200
    assert answer[ALLOW] == LISTED
    for name in ("X-Request-ID", "ETag", "X-RateLimit-Remaining", "Retry-After", "X-API-Version"):
        assert name in answer["Access-Control-Expose-Headers"]
    assert "Origin" in answer["Vary"].title()


def test_an_error_is_readable_too(caller: Client) -> None:
    answer = caller.get("/api/v2/patients", headers={"Origin": LISTED})
    assert (answer.status_code, answer[ALLOW]) == (401, LISTED)


def test_without_the_setting_there_is_no_sharing() -> None:
    assert ALLOW not in preflight(Client(), "/api/v2/patients", LISTED)
