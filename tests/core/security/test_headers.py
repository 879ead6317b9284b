"""The security headers are on every answer there is: pages, API, admin, files, redirects and refusals, walked from the URL conf."""

import json
import os
import re
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as current
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from core.accounts.roles import Role
from tests.conftest import PASSWORD
from tests.factories.routes import _readable as readable
from tests.factories.world import Place, World

EXPECTED = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Request-ID": "",
    "Cache-Control": "",
}
LOOSE = ("unsafe-inline", "unsafe-eval", "*", "http:", "https:")


def addresses(patterns: Any = None, prefix: str = "/") -> list[str]:
    """Every pattern of the URL conf, with something in the place of its parameters."""
    found: list[str] = []
    for entry in patterns or get_resolver().url_patterns:
        path = prefix + readable(str(entry.pattern))
        if isinstance(entry, URLResolver):
            found += addresses(entry.url_patterns, path)
        elif isinstance(entry, URLPattern):
            found.append(re.sub(r"\{\w+\}", str(uuid4()), path))
    return found


def missing(answer: Any) -> list[str]:
    policy = answer.get("Content-Security-Policy", "").split()
    found = [f"{name}: {answer.get(name)}" for name, part in EXPECTED.items() if part not in answer.get(name, "\0")]
    return found + [f"the policy allows {word}" for word in LOOSE if f"'{word}'" in policy or word in policy]


@pytest.fixture
def over_https(settings: Any) -> Any:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    return settings


@pytest.fixture
def callers(world: World, sign_in: Any, over_https: Any) -> list[Client]:
    """A stranger and an administrator, over https."""
    admin = sign_in(world.platform[Role.SUPER_ADMIN], world.riverside.clinic)
    callers = [Client(), admin]
    for caller in callers:
        caller.raise_request_exception = False
    return callers


def test_every_route_has_them(callers: list[Client]) -> None:
    wrong, statuses = {}, set()
    for path in addresses():
        for caller in callers:
            answer = caller.get(path, secure=True)
            statuses.add(answer.status_code)
            if found := missing(answer):
                wrong[path] = found
    assert not wrong
    assert statuses >= {200, 302, 401, 404, 405}, statuses


@pytest.mark.parametrize(
    "path", ["/no-such-page/", "/api/v2/no-such-thing", "/api/v7/patients", "/static/css/tokens.css", "/static/no.css"]
)
def test_so_have_files_and_what_is_not_there(callers: list[Client], path: str) -> None:
    for caller in callers:
        assert missing(caller.get(path, secure=True)) == []


def test_so_have_refusals_before_any_view(callers: list[Client], settings: Any) -> None:
    stranger = callers[0]
    too_large = stranger.post("/sign-in/", b"x", content_type="text/plain", CONTENT_LENGTH=str(50 * 1024 * 1024), secure=True)
    unknown_host = stranger.get("/sign-in/", headers={"Host": "elsewhere.example"}, secure=True)
    settings.SECURE_SSL_REDIRECT = True
    over_http = Client().get("/sign-in/")
    assert [too_large.status_code, unknown_host.status_code, over_http.status_code] == [413, 400, 301]
    assert missing(too_large) == missing(unknown_host) == []
    assert [one for one in missing(over_http) if not one.startswith("Strict-Transport")] == []  # it means nothing over http


def test_so_has_an_answer_that_did_not_change(api: Any, riverside: Place, over_https: Any) -> None:
    caller = api(riverside.users[Role.RECEPTIONIST])
    etag = caller.get("services").headers["ETag"]
    answer = caller.get("services", **{"If-None-Match": etag})
    assert answer.status_code == 304
    assert [one for one in missing(answer) if not one.startswith("Strict-Transport")] == []


def test_so_has_a_fault_of_ours(callers: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> HttpResponse:
        raise ZeroDivisionError

    monkeypatch.setattr(BaseHandler, "resolve_request", fails)
    answer = callers[0].get("/sign-in/", secure=True)
    assert answer.status_code == 500
    assert missing(answer) == []


def test_nothing_of_a_person_is_kept_by_caches(api: Any, riverside: Place, sign_in: Any) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    assert browser.get("/")["Cache-Control"] == "no-store"
    assert browser.get("/api/v2/patients")["Cache-Control"] == "private, no-cache"
    token = api().post("auth/token", {"email": riverside.users[Role.DOCTOR].email, "password": PASSWORD})
    assert (token.status_code, token.headers["Cache-Control"]) == (200, "no-store")


def test_every_cookie_is_hardened(client: Client, riverside: Place, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client.get("/sign-in/", secure=True)
    client.post("/sign-in/", {"email": riverside.users[Role.NURSE].email, "password": PASSWORD}, secure=True)
    client.post("/drafts/patient-register/", {"given_name": "Amara"}, secure=True)
    assert {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME} <= set(client.cookies)
    for name, cookie in client.cookies.items():
        assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Lax", name
        assert not cookie["domain"] and cookie["path"] == "/", name


def settings_over_https(*names: str, **variables: str) -> list[Any]:
    """Read anew, as a server with an https address reads its settings."""
    code = f"import json; from hms import settings as s; print(json.dumps([getattr(s, name) for name in {names!r}]))"
    environment = os.environ | {"HMS_BASE_URL": "https://hms.example"} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=current.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    found: list[Any] = json.loads(done.stdout)
    return found


def test_nobody_is_entered_in_the_browsers_lists_unasked() -> None:
    names = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD")
    assert settings_over_https(*names) == [31_536_000, True, False]
    assert settings_over_https(*names, HMS_HSTS_PRELOAD="true") == [31_536_000, True, True]


def test_over_https_cookies_belong_to_the_host_alone() -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "MIDDLEWARE")
    session, csrf, middleware = settings_over_https(*names, HMS_CORS_ORIGINS="https://app.example")
    assert (session, csrf) == ("__Host-hms_session", "__Host-hms_csrf")
    assert "corsheaders.middleware.CorsMiddleware" in middleware
