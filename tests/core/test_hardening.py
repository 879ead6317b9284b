"""What docs/security/asvs.md promises and no other test holds."""

import logging.config
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.password_validation import get_default_password_validators, validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connections
from django.test import Client

from core.accounts.models import User
from core.accounts.roles import Role
from core.pages.forms import SignInForm
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.routes import Route, all_routes
from tests.factories.server import Server
from tests.factories.world import Place

SAFE_ROUTES = [route for route in all_routes() if route.method == "GET" and route.kind in ("api", "page", "admin")]
TABLES = "|".join(model._meta.db_table for model in apps.get_models() if model is not Session)
WRITES = re.compile(rf"\s*(?:INSERT|UPDATE|DELETE|TRUNCATE|MERGE)\b.*?\b({TABLES})\b", re.I | re.S)


class Writes:
    """Collects the tables of HMS that are written."""

    def __init__(self) -> None:
        self.tables: list[str] = []

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if match := WRITES.match(str(sql)):
            self.tables.append(match[1])
        return execute(sql, params, many, context)


def writes_of(route: Route, place: Place) -> list[str]:
    path, user, writes = filled(route, place), place.users[Role.CLINIC_ADMIN], Writes()
    caller = ApiClient(user) if route.kind == "api" else Client(raise_request_exception=False)
    if isinstance(caller, Client):
        caller.force_login(user)
    with connections["default"].execute_wrapper(writes), connections["platform"].execute_wrapper(writes):
        assert caller.get(path).status_code < 500
    return writes.tables


@pytest.mark.parametrize("route", SAFE_ROUTES, ids=lambda route: route.id)
def test_no_safe_request_writes(route: Route, riverside: Place) -> None:
    assert writes_of(route, riverside) == []


def test_the_api_does_not_redirect_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    client = Client()
    answer = client.get("/api/v2/patients", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_REQUEST")
    assert "Location" not in answer
    page = client.get("/sign-in/")
    assert (page.status_code, page["Location"]) == (301, "https://testserver/sign-in/")
    assert client.get("/health").status_code == 200
    assert client.get("/sign-in/", secure=True).status_code == 200


FRAMINGS = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "a length that is none": b"Content-Length: +2\r\n\r\n{}",
    "chunks that are none": b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a broken chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_request_whose_end_is_in_doubt_is_refused(server: Server, framing: bytes) -> None:
    host, _, port = server.host.partition(":")
    head = b"POST /api/v2/auth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head + framing + b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        received = b""
        while part := connection.recv(65536):
            received += part
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", received)
    assert statuses in ([b"400"], [b"501"], []), "what follows must not be read as a second request"


def test_trace_is_not_answered(server: Server) -> None:
    host, _, port = server.host.partition(":")
    for path in ("/", "/sign-in/", "/api/v2/patients", "/admin/"):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"TRACE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Probe: echoed\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert answer.split()[1] in (b"302", b"401", b"405"), path
        assert b"echoed" not in answer


FILES = ["/.git/config", "/.env", "/manage.py", "/hms/settings.py", "/requirements.txt", "/var/secrets.json", "/static/", "/media/"]
CLIMBS = ["/static/../hms/settings.py", "/static/..%2f..%2fsettings.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/static//etc/passwd"]


@pytest.mark.parametrize("path", FILES + CLIMBS)
def test_nothing_of_the_checkout_is_served(server: Server, path: str) -> None:
    host, _, port = server.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.split()[1] in (b"400", b"403", b"404"), answer[:200]


# --- Passwords -----------------------------------------------------------------------------------------------------------
def test_no_rule_of_composition_for_passwords(riverside: Place) -> None:
    for good in ("correct horse battery", "квантовый верблюд", "𝄞" * 12, "a" * 60 + "b" * 60):
        validate_password(good, riverside.users[Role.DOCTOR])
    with pytest.raises(ValidationError):
        validate_password("password1234")
    names = {type(one).__name__ for one in get_default_password_validators()}
    assert not {name for name in names if "Expir" in name or "Character" in name}
    assert not [field.name for field in User._meta.fields if "expire" in field.name or "password_changed" in field.name]


def test_passwords_are_typed_masked_and_may_be_pasted() -> None:
    html = str(SignInForm()["password"])
    assert 'type="password"' in html and 'autocomplete="current-password"' in html
    scripts = "".join(path.read_text() for path in (settings.BASE_DIR / "static/js").glob("*.js"))
    assert "paste" not in scripts


@pytest.mark.parametrize("password", ["  Spaces kept  12", "ĀĒĪŌŪ-ßẞ-ﬁne-42", "x" * 500, "Correct-Horse-2026-" + "y" * 60])
def test_a_password_is_taken_exactly_as_typed(riverside: Place, password: str) -> None:
    user = User.objects.get(pk=riverside.users[Role.NURSE].pk)  # the fixture's own object is everybody's
    user.set_password(password)
    user.save()
    variants = {password.strip(), password[:72], password.swapcase()} - {password}
    assert all(not user.check_password(variant) for variant in variants)
    answer = Client().post("/sign-in/", {"email": user.email, "password": password})
    assert answer.status_code == 302, "the same text signs in"


def test_no_secret_questions() -> None:
    assert not [field.name for field in User._meta.fields if re.search("hint|question|answer", field.name)]


# --- Sessions ------------------------------------------------------------------------------------------------------------
def sign_in(client: Client, user: User) -> str:
    client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_a_session_key_is_long_and_new_at_sign_in(riverside: Place) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = "0123456789abcdefghijklmnopqrstuv"
    keys = [sign_in(client, riverside.users[role]) for role in (Role.DOCTOR, Role.NURSE)]
    assert planted not in keys and keys[0] != keys[1]
    assert all(re.fullmatch("[a-z0-9]{32}", key) for key in keys), "32 of 36 characters are 165 bits"
    assert not Session.objects.filter(session_key=planted).exists()


def test_sessions_live_as_long_as_documented() -> None:
    said = (settings.BASE_DIR / "docs/operators.md").read_text()
    hours = settings.SESSION_COOKIE_AGE // 3600
    assert f"ends {hours} hours after signing in" in said
    assert not settings.SESSION_SAVE_EVERY_REQUEST, "using a session doesn't prolong it"


def test_every_page_offers_to_sign_out(riverside: Place) -> None:
    client = Client()
    client.force_login(riverside.users[Role.CLINIC_ADMIN])
    whole = 0
    for route in SAFE_ROUTES:
        if route.kind != "api" and not route.parameters:
            answer = client.get(route.path)
            html = answer.content.decode(errors="replace") if answer.status_code == 200 else ""
            if "<!doctype html" in html[:200].lower():
                whole += 1
                assert re.search(r'action="/(?:sign-out|admin/logout)/"', html), route.id
    assert whole > 15


@pytest.mark.parametrize("path", ["/sign-out/", "/admin/logout/"])
def test_a_link_signs_nobody_out(riverside: Place, path: str) -> None:
    client = Client()
    sign_in(client, riverside.users[Role.CLINIC_ADMIN])
    assert client.get(path).status_code == 405
    assert client.get("/").status_code == 200
    assert client.post(path).status_code == 302
    assert client.get("/").status_code == 302


def test_signing_out_clears_the_browser(riverside: Place) -> None:
    client = Client()
    sign_in(client, riverside.users[Role.DOCTOR])
    assert client.get("/")["Cache-Control"] == "no-store"
    assert client.post("/sign-out/")["Clear-Site-Data"] == '"storage"'


def test_log_lines_say_when_in_utc() -> None:
    configured = logging.config.DictConfigurator(settings.LOGGING)  # type: ignore[attr-defined]
    line = configured.configure_formatter(dict(settings.LOGGING["formatters"]["line"]))  # it takes things out of what it is given
    record = logging.LogRecord("hms", logging.INFO, "", 1, "said", None, None)
    record.created, record.request_id = 1_769_855_400.123, "-"
    assert "2026-01-31T10:30:00.123Z" in line.format(record)


# --- Scripts -------------------------------------------------------------------------------------------------------------
ABSENT = "|".join(
    [
        *(r"\beval\(", "new Function", r"document\.write", r"\.outerHTML"),
        *(r"(?<!channel\?\.)postMessage", "localStorage", "sessionStorage", "indexedDB"),
        *("__proto__", r"Object\.assign\("),
    ]
)


def test_scripts_use_nothing_that_is_said_not_to_be_there() -> None:
    scripts = sorted((settings.BASE_DIR / "static/js").glob("**/*.js"))
    assert scripts
    for script in scripts:
        assert not re.findall(ABSENT, script.read_text()), script.name


def test_what_scripts_put_into_a_page_as_markup_comes_from_a_page_of_ours() -> None:
    """Each assignment is listed here: it takes the text of an answer of the same origin, which a template escaped."""
    known = {("search.js", "list.innerHTML = await answer.text();"), ("again.js", "dialog.innerHTML = await answer.text();")}
    known.add(("kiosk.js", "main.innerHTML = await answer.text();"))
    known.add(("live.js", 'const found = new DOMParser().parseFromString(await answer.text(), "text/html");'))
    found = set()
    for script in Path(settings.BASE_DIR / "static/js").glob("**/*.js"):
        for line in script.read_text().splitlines():
            if re.search(r"innerHTML\s*=|insertAdjacentHTML|createContextualFragment|parseFromString", line):
                found.add((script.name, line.strip()))
    assert found == known
