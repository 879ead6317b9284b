"""Limits as callers meet them: who is counted by what, on every route; headers, refusals, and who is never locked out."""

import json
import re
import time
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as current
from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import resolve, reverse

from core.accounts import tokens
from core.accounts.factors.services import add_code
from core.accounts.models import User
from core.accounts.roles import Role
from core.errors import Unavailable
from core.messaging.models import Channel
from core.security.limiting.classes import RouteClass, class_of
from core.security.limiting.limiter import limiter
from core.security.limiting.models import RateCounter
from core.security.limiting.rates import RATE_VARIABLES
from core.security.limiting.routes import class_of_route
from core.tenancy.context import Scope, unit_of_work
from core.tenancy.models import Clinic
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.patients import patient_data
from tests.factories.queue import open_queue
from tests.factories.routes import Route, all_routes
from tests.factories.world import Place

CLASSES = {  # addresses, or one method of an address
    RouteClass.FREE: {
        "/health", "/health/live", "/health/ready", "/health/startup", "/health/api", "/health/detailed",
        "/health/metrics", "/metrics",
        "/webhooks/messages/{channel}/",
        "/board/{token}/", "/board/{token}/now/", "/board/{token}/stream/", "/kiosk/{token}/",
    },
    RouteClass.AUTH: {"/api/v2/auth/token", "/api/v2/auth/otp/request", "/api/v2/auth/otp/verify"},
    RouteClass.REFRESH: {"/api/v2/auth/token/refresh"},
    RouteClass.SIGN_IN: {
        "/sign-in/", "/sign-in/again/", "/sign-in/second/", "/sign-in/second/code/", "/sign-in/passkey/", "/sign-in/passkey/ask/",
        "/sign-in/forgotten/", "/sign-in/new-password/", "/join/{token}/",
    },
    RouteClass.UPLOAD: {"POST /api/v2/patients/{id}/documents", "POST /patients/{patient_id}/documents/add/"},
    RouteClass.SEARCH: {"/api/v2/patients", "/api/v2/patients/search"},
    RouteClass.SEARCH_PAGE: {
        "/patients/search/", "/patients/suggest/", "/patients/register/duplicates/", "/appointments/book/patients/",
        "/queue/take/patients/",
    },
    RouteClass.HEAVY: {
        "/api/v2/patients/duplicates", "/patients/{patient_id}/export/", "/api/v2/webhooks/{pk}/replay",
    },
}  # fmt: skip
API = [route for route in all_routes() if route.path.startswith("/api/")]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter.memory.clear()
    moment = time.time()  # forms are counted in fixed hours: none ends within a test
    monkeypatch.setattr("django_ratelimit.core.time", SimpleNamespace(time=lambda: moment))


def address(route: Route) -> str:
    return re.sub(r"\{\w+\}", str(uuid4()), route.path)


def listed(route: Route) -> RouteClass:
    path = route.path.replace("/api/v1/", "/api/v2/")
    return next((kind for kind, named in CLASSES.items() if named & {path, f"{route.method} {path}"}), RouteClass.USUAL)


def standing(answer: Any) -> tuple[int, int, int]:
    return tuple(int(answer[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))  # type: ignore[return-value]


def stranger(ip: str = "198.51.100.7") -> Client:
    return Client(REMOTE_ADDR=ip, raise_request_exception=False)


# --- Which route is of which class --------------------------------------------------------------------------------------
@pytest.mark.parametrize("route", all_routes(), ids=lambda route: route.id)
def test_every_route_has_the_class_its_view_names(route: Route) -> None:
    """A new route of another class than the usual one belongs on the list above. What is looked up early is what Django finds."""
    path = address(route)
    found = class_of_route(path, route.method)
    assert found is class_of(resolve(path).func, route.method)
    assert found is listed(route)


def test_every_class_is_some_route_s() -> None:
    """A limit that counts nothing would only look like one."""
    assert {class_of_route(address(route), route.method) for route in all_routes()} == set(RouteClass)


def test_the_alias_without_a_version_is_of_the_same_class() -> None:
    for route in API:
        assert class_of_route(re.sub("/api/v[12]/", "/api/", address(route)), route.method) is listed(route)
    assert class_of_route("/there/is/nothing", "GET") is RouteClass.USUAL


# --- Headers ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("route", API, ids=lambda route: route.id)
def test_every_api_answer_says_how_the_limit_stands(settings: Any, riverside: Place, route: Route) -> None:
    settings.HMS_RATE_USER, settings.HMS_RATE_ANON, settings.HMS_RATE_AUTH = "600/m", "60/m,1000/h", "10/m"
    auth = listed(route) in (RouteClass.AUTH, RouteClass.REFRESH)
    someone = riverside.users[Role.RECEPTIONIST]
    for user, limit in ((someone, 10 if auth else 600), (None, 10 if auth else 60)):
        limiter.memory.clear()
        for already in (0, 1):
            answer = ApiClient(user, riverside.clinic).request(route.method, address(route), {})
            limit_said, remaining, reset = standing(answer)
            assert (limit_said, remaining) == (limit, limit - already - 1), answer.status_code
            assert 1 <= reset <= 60


@pytest.mark.parametrize("route", API, ids=lambda route: route.id)
def test_so_do_trouble_of_ours_and_the_refusal_of_plain_http(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, route: Route
) -> None:
    """What went wrong before anybody was known costs nobody anything; who speaks plain HTTP is counted by address."""
    settings.HMS_RATE_ANON, settings.HMS_RATE_AUTH = "60/m,1000/h", "10/m"
    limit = 10 if listed(route) in (RouteClass.AUTH, RouteClass.REFRESH) else 60

    def ask() -> Any:
        return stranger().generic(route.method, address(route), headers={"Authorization": "Bearer x"})

    def fault(_token: str) -> Any:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch, caplog.at_level("CRITICAL"):
        patch.setattr("core.accounts.tokens.read", fault)
        answers = [ask(), ask()]
        patch.setattr("core.accounts.tokens.read", lambda _token: (_ for _ in ()).throw(Unavailable("away")))
        answers.append(ask())
    assert [(answer.status_code, standing(answer)[:2]) for answer in answers] == [
        (500, (limit, limit)), (500, (limit, limit)), (503, (limit, limit)),
    ]  # fmt: skip
    settings.SECURE_SSL_REDIRECT = True
    refused = [ask(), ask()]
    assert [(answer.status_code, standing(answer)[:2]) for answer in refused] == [
        (400, (limit, limit - 1)),
        (400, (limit, limit - 2)),
    ]
    assert all(answer["X-API-Version"] for answer in refused)


def test_headers_of_every_kind_of_answer(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_USER, settings.HMS_RATE_ANON = "9/m", "60/m"
    caller = ApiClient(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    first = caller.get("locations")
    room = {"location": str(riverside.locations[0].pk), "name": "Room of the limit", "kind": "consulting"}
    key = {"Idempotency_Key": "limits-limits-1"}
    answers = [
        (200, first),
        (304, caller.get("locations", If_None_Match=first["ETag"])),
        (404, caller.get(f"locations/{uuid4()}")),
        (405, caller.delete("auth/me")),
        (400, caller.get("locations?unknown=1")),
        (201, made := caller.post("rooms", room, **key)),
        (201, again := caller.post("rooms", room, **key)),
        (403, caller.get("locations", X_Clinic_ID="hillcrest")),
        (200, caller.get("auth/me")),
        (429, caller.get("auth/me")),
    ]
    assert [(answer.status_code, standing(answer)[:2]) for _, answer in answers] == [
        (status, (9, max(0, 8 - number))) for number, (status, _) in enumerate(answers)
    ]
    assert again["Idempotency-Replayed"] == "true" and made.json()["data"] == again.json()["data"]
    refused = answers[-1][1]
    assert refused["Retry-After"] == refused["X-RateLimit-Reset"]
    body = refused.json()["error"]
    assert (body["code"], body["details"], body["request_id"]) == ("RATE_LIMIT_EXCEEDED", [], refused["X-Request-ID"])
    assert f"{refused['Retry-After']} second" in body["message"]


def test_the_tightest_window_is_told(settings: Any) -> None:
    settings.HMS_RATE_ANON = "5/m,3/h"
    assert standing(stranger().get("/api/v2/locations"))[:2] == (3, 2)


def test_health_is_not_limited_and_pages_say_nothing(settings: Any) -> None:
    settings.HMS_RATE_ANON = settings.HMS_RATE_USER = "1/h"
    client = stranger()
    assert {client.get("/health").status_code for _ in range(5)} == {200}
    assert "X-RateLimit-Limit" not in client.get("/health")
    assert "X-RateLimit-Limit" not in client.get("/sign-in/")


# --- Who is counted by what ---------------------------------------------------------------------------------------------
def test_strangers_count_by_address_and_ipv6_by_its_network(settings: Any) -> None:
    settings.HMS_RATE_ANON = "2/m"
    one = [stranger(ip).get("/api/v2/locations").status_code for ip in ("2001:db8::1", "2001:db8::ffff", "2001:db8::2")]
    assert one == [401, 401, 429]
    assert stranger("2001:db8:0:1::1").get("/api/v2/locations").status_code == 401


def test_people_behind_one_address_don_t_count_together(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_USER = "2/m"
    for role in (Role.RECEPTIONIST, Role.NURSE):
        caller = ApiClient(riverside.users[role], riverside.clinic)
        assert [caller.get("auth/me").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("kind", [RouteClass.UPLOAD, RouteClass.HEAVY, RouteClass.SEARCH])
def test_uploads_and_heavy_requests_count_beside_the_usual(
    settings: Any, riverside: Place, monkeypatch: pytest.MonkeyPatch, kind: RouteClass
) -> None:
    """By person; a clinic may have its own; a stranger's by address."""
    settings.HMS_RATE_UPLOAD = settings.HMS_RATE_HEAVY = settings.HMS_RATE_SEARCH = "2/m"
    settings.HMS_RATE_USER, settings.HMS_RATE_ANON = "4/m", "4/m"
    usual = class_of_route
    dear = "/api/v2/auth/me"
    monkeypatch.setattr(
        "core.security.limiting.middleware.class_of_route",
        lambda path, method: kind if path == dear else usual(path, method),
    )  # fmt: skip
    for caller, open_to in (
        (ApiClient(riverside.users[Role.NURSE], riverside.clinic), 200),
        (ApiClient(riverside.users[Role.DOCTOR], riverside.clinic), 200),
        (ApiClient(), 401),
    ):
        assert [caller.get(dear).status_code for _ in range(3)] == [open_to, open_to, 429]
        assert standing(caller.get("locations"))[:2] == (4, 1), "what was refused is not counted"
    if kind is RouteClass.SEARCH:
        return
    Clinic.objects.filter(pk=riverside.clinic.pk).update(rate_upload="1/h", rate_heavy="1/h")
    own = ApiClient(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    assert [standing(own.get(dear))[0] for _ in range(2)] == [1, 1]


def test_a_person_counts_once_whatever_the_door(settings: Any, riverside: Place, sign_in: Any) -> None:
    settings.HMS_RATE_USER = "2/m"
    user = riverside.users[Role.RECEPTIONIST]
    assert sign_in(user, riverside.clinic).get("/patients/").status_code == 200
    assert ApiClient(user, riverside.clinic).get("auth/me").status_code == 200
    assert sign_in(user, riverside.clinic).get("/patients/").status_code == 429


@pytest.mark.parametrize("credential", ["Bearer a.b.c", "Basic eDp5", "a cookie"])
def test_credentials_that_are_none_count_against_the_address(settings: Any, credential: str) -> None:
    settings.HMS_RATE_ANON = "3/m"
    client = stranger()
    if credential == "a cookie":
        client.cookies[current.SESSION_COOKIE_NAME] = "invented"
    headers = {} if credential == "a cookie" else {"Authorization": credential}
    answers = [client.get("/api/v2/auth/me", headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert [standing(answer)[1] for answer in answers] == [2, 1, 0, 0, 0]
    assert stranger().get("/api/v2/locations").status_code == 429, "the same count"


def test_what_is_refused_before_anybody_is_known_counts_too(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_ANON = "1/m"
    headers = {"Authorization": "Bearer x"}
    answer = stranger().post("/api/v2/patients", b"", "application/json", headers=headers, CONTENT_LENGTH="9999999")
    assert (answer.status_code, standing(answer)[:2]) == (413, (1, 0))
    assert stranger().get("/api/v2/patients").status_code == 429


def test_a_wrong_clinic_is_the_person_s_affair(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_ANON, settings.HMS_RATE_USER = "1/h", "3/m"
    caller = ApiClient(riverside.users[Role.RECEPTIONIST])
    answers = [caller.get("locations", X_Clinic_ID="nowhere").status_code for _ in range(4)]
    assert answers == [403, 403, 403, 429]
    assert ApiClient().get("locations").status_code == 401, "the address has still its one"


# --- Nobody is locked out by a neighbour --------------------------------------------------------------------------------
def test_forty_people_come_to_work_behind_one_address(settings: Any, riverside: Place) -> None:
    """The installation's own figures. Each opens HMS, is sent to sign in, mistypes or not, and works."""
    for name in RATE_VARIABLES:
        setattr(settings, name, _default(name))
    ip = "203.0.113.9"
    password = make_password(PASSWORD)
    people = User.objects.bulk_create(User(email=f"early{n}@hms.test", full_name="Early", password=password) for n in range(40))
    for number, person in enumerate(people):
        client = stranger(ip)
        assert client.get("/").status_code == 302
        assert client.get("/sign-in/").status_code == 200
        if number % 3 == 0:
            assert client.post("/sign-in/", {"email": person.email, "password": "mistyped"}).status_code == 422
        assert client.post("/sign-in/", {"email": person.email, "password": PASSWORD}).status_code == 302


def _default(name: str) -> str:
    """What the settings say when the environment doesn't; the example tells the same."""
    text = re.search(rf'"{name}", default="(.*?)"', (current.BASE_DIR / "hms/settings.py").read_text())[1]  # type: ignore[index]
    assert f"\n#{name}={text}\n" in (current.BASE_DIR / ".env.example").read_text()
    return text


def test_a_machine_that_uses_up_the_address_closes_no_page_and_no_token(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_ANON, settings.HMS_RATE_AUTH = "3/h", "3/h"
    ip, user = "203.0.113.10", riverside.users[Role.RECEPTIONIST]
    bad, good = stranger(ip), ApiClient(user, riverside.clinic)
    for _ in range(5):
        last = bad.get("/api/v2/locations", headers={"Authorization": "Bearer bad"}).status_code
        wrong = bad.post("/api/v2/auth/token", json.dumps({"email": user.email, "password": "no"}), content_type="application/json")
    assert (last, wrong.status_code) == (429, 429)
    assert good.client.get("/api/v2/locations", headers=good.headers, REMOTE_ADDR=ip).status_code == 200
    assert stranger(ip).get("/sign-in/").status_code == 200
    assert stranger(ip).get("/").status_code == 302


def test_a_machine_s_wrong_passwords_lock_no_page_behind_the_same_address(riverside: Place) -> None:
    """The lockout that grows (docs/decisions/0007-lockout.md) keeps machines and pages apart as well."""
    ip, user = "203.0.113.11", riverside.users[Role.NURSE]
    for number in range(21):
        body = json.dumps({"email": f"ghost{number}@hms.test", "password": "no"})
        answer = stranger(ip).post("/api/v2/auth/token", body, content_type="application/json")
    assert "Too many tries" in answer.json()["error"]["message"]
    assert int(answer["Retry-After"]) > 0
    assert stranger(ip).post("/sign-in/", {"email": user.email, "password": PASSWORD}).status_code == 302


# --- Signing in ---------------------------------------------------------------------------------------------------------
def test_the_api_s_sign_in_counts_by_address_also_with_somebody_s_token(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_AUTH = "2/m"
    caller = ApiClient(riverside.users[Role.NURSE])
    answers = [caller.post("auth/token", {"email": f"x{n}@hms.test", "password": "x"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_the_api_s_sign_in_counts_by_account_from_any_address(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_AUTH = "2/m"
    email = riverside.users[Role.NURSE].email

    def attempt(number: int, spelt: str) -> Any:
        body = json.dumps({"email": spelt, "password": PASSWORD})
        return stranger(f"192.0.2.{number}").post("/api/v2/auth/token", body, content_type="application/json")

    answers = [attempt(1, email), attempt(2, email.upper()), attempt(3, email)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert standing(answers[2])[:2] == (2, 0)
    assert answers[2]["Retry-After"] == answers[2]["X-RateLimit-Reset"]
    assert attempt(4, riverside.users[Role.DOCTOR].email).status_code == 200


def test_the_sign_in_page_takes_twice_as_many_tries_and_keeps_what_was_typed(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_AUTH = "2/h"
    email = riverside.users[Role.NURSE].email
    tries = [stranger(f"192.0.2.{n}").post("/sign-in/", {"email": email, "password": "wrong"}) for n in range(5)]
    assert [answer.status_code for answer in tries] == [422, 422, 422, 422, 429]
    refused = tries[-1]
    assert int(refused["Retry-After"]) > 0
    assert f'value="{email}"' in refused.content.decode() and "Too many requests" in refused.content.decode()


def test_wrong_tries_count_for_the_address_and_right_ones_don_t(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_AUTH = "2/h"
    for role in (Role.NURSE, Role.DOCTOR, Role.RECEPTIONIST, Role.CLINIC_ADMIN, Role.BILLING_SPECIALIST):
        user = riverside.users[role]
        assert stranger().post("/sign-in/", {"email": user.email, "password": PASSWORD}).status_code == 302
    wrong = [stranger().post("/sign-in/", {"email": f"ghost{n}@hms.test", "password": "x"}).status_code for n in range(5)]
    assert wrong == [422, 422, 422, 422, 429]


@pytest.mark.parametrize("door", ["page", "api"])
def test_who_is_refused_by_address_uses_up_no_account(settings: Any, riverside: Place, door: str) -> None:
    settings.HMS_RATE_AUTH = "2/h"
    email, ip = riverside.users[Role.NURSE].email, "203.0.113.20"

    def attempt(email: str, password: str, ip: str) -> int:
        given = {"email": email, "password": password}
        if door == "page":
            return stranger(ip).post("/sign-in/", given).status_code
        return stranger(ip).post("/api/v2/auth/token", json.dumps(given), content_type="application/json").status_code

    for number in range(4):
        attempt(f"ghost{number}@hms.test", "x", ip)
    counters = RateCounter.objects.using("platform").count()
    assert [attempt(email, "x", ip) for _ in range(4)] == [429] * 4
    assert RateCounter.objects.using("platform").count() == counters
    assert attempt(email, PASSWORD, "203.0.113.21") in (200, 302)


@pytest.mark.parametrize("door", ["page", "api"])
def test_who_is_locked_out_by_address_uses_up_no_account(settings: Any, riverside: Place, door: str) -> None:
    """The lockout, too, is asked before anything is counted for an account that somebody names."""
    email, ip = riverside.users[Role.NURSE].email, "203.0.113.22"

    def attempt(email: str, password: str, ip: str) -> Any:
        given = {"email": email, "password": password}
        if door == "page":
            return stranger(ip).post("/sign-in/", given)
        return stranger(ip).post("/api/v2/auth/token", json.dumps(given), content_type="application/json")

    for number in range(21):
        attempt(f"ghost{number}@hms.test", "x", ip)
    settings.HMS_RATE_AUTH = "3/h"  # what was counted before is forgotten
    locked = [attempt(email, "x", ip) for _ in range(3)]
    assert all(int(answer["Retry-After"]) <= 900 and b"Too many tries" in answer.content for answer in locked)
    tries = [attempt(email, PASSWORD, "203.0.113.23").status_code for _ in range(3)]
    assert set(tries) <= {200, 302}


def test_letters_are_limited_by_account_and_address_for_whoever_names_one(settings: Any, riverside: Place) -> None:
    settings.HMS_RATE_LETTERS = "2/h"
    email = riverside.users[Role.NURSE].email

    def asked(ip: str, email: str) -> Any:
        given = json.dumps({"identifier": email, "channel": "sms"})
        return stranger(ip).post("/api/v2/auth/otp/request", given, content_type="application/json")

    def forgotten(ip: str, email: str) -> Any:
        return stranger(ip).post("/sign-in/forgotten/", {"email": email})

    for door, least in ((asked, 3000), (forgotten, 1)):  # the hour of a page's form may end at any moment: it is a fixed window
        answers = [door(f"192.0.2.{n}", spelt) for n, spelt in enumerate((email, email.upper(), email, "nobody@hms.test"))]
        assert [one.status_code for one in answers] == [200, 200, 429, 200], door
        assert least <= int(answers[2]["Retry-After"]) <= 3600
        ghosts = [door("192.0.2.9", f"ghost{n}@hms.test").status_code for n in range(11)]
        assert ghosts == [200] * 10 + [429], door


def test_who_has_given_the_password_gets_their_codes_whatever_strangers_ask_for(settings: Any, riverside: Place) -> None:
    """And not without end: each code may be a text message that costs."""
    settings.HMS_RATE_LETTERS, user = "2/h", riverside.users[Role.NURSE]
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    with unit_of_work(Scope(reason="test")):
        add_code(user=user, channels=[Channel.EMAIL], phone="")
    for number in range(5):
        given = json.dumps({"identifier": user.email, "channel": "email"})
        stranger(f"192.0.2.{number}").post("/api/v2/auth/otp/request", given, content_type="application/json")
        stranger(f"192.0.2.{number}").post("/sign-in/forgotten/", {"email": user.email})
    client = stranger("192.0.2.77")
    client.post("/sign-in/", {"email": user.email, "password": PASSWORD})  # the first one is sent
    assert [client.post("/sign-in/second/code/").status_code for _ in range(2)] == [303, 429]
    at_home = Client()
    at_home.force_login(user)
    assert at_home.post("/account/security/code/", {"channel": "email"}).status_code == 429


def test_a_refresh_counts_for_its_person_and_a_wrong_one_for_the_address(settings: Any, riverside: Place) -> None:
    """Many machines behind one address stay signed in, also while one of them tries what is no token."""
    settings.HMS_RATE_AUTH, settings.HMS_RATE_USER, ip = "2/m", "3/m", "203.0.113.24"

    def refresh(token: str) -> Any:
        return stranger(ip).post("/api/v2/auth/token/refresh", json.dumps({"refresh": token}), content_type="application/json")

    mine, theirs = (tokens.issue(riverside.users[role], clinic_id=None) for role in (Role.NURSE, Role.DOCTOR))
    assert [refresh("made up").status_code for _ in range(3)] == [401, 401, 429]
    assert [refresh(mine.refresh).status_code for _ in range(4)] == [200, 200, 200, 429]
    answers = [refresh(theirs.refresh) for _ in range(2)]
    assert [(answer.status_code, standing(answer)[:2]) for answer in answers] == [(200, (3, 2)), (200, (3, 1))]
    assert refresh(theirs.access).status_code == 429, "an access token refreshes nothing"


# --- Finding patients ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [RouteClass.SEARCH, RouteClass.SEARCH_PAGE])
def test_searches_of_one_person_count_together_whatever_the_address(
    settings: Any, riverside: Place, sign_in: Any, kind: RouteClass
) -> None:
    """Nobody copies out a clinic's patients quicker by taking turns. Pages are counted by django-ratelimit, the API beside them."""
    doors = [route for route in all_routes() if listed(route) is kind and (route.method == "POST" or kind is RouteClass.SEARCH)]
    assert len(doors) >= 4
    settings.HMS_RATE_SEARCH = f"{len(doors)}/h"
    user = riverside.users[Role.RECEPTIONIST]
    page, api = sign_in(user, riverside.clinic), ApiClient(user, riverside.clinic)
    other_user = riverside.users[Role.CLINIC_ADMIN]
    other = ApiClient(other_user, riverside.clinic)

    def ask(route: Route) -> int:
        if route.path.startswith("/api/"):
            status: int = api.request(route.method, route.path, {}).status_code
            return status
        answer = page.generic(route.method, route.path, headers={"HX-Request": "true"})
        assert answer.status_code != 429 or (answer["HX-Reswap"] == "none" and 0 < int(answer["Retry-After"]) <= 3600)
        return int(answer.status_code)

    assert 429 not in [ask(route) for route in doors]
    assert [ask(route) for route in doors] == [429] * len(doors)
    assert api.get("auth/me").status_code == 200
    assert page.get("/patients/").status_code == 200
    assert other.get("patients?search=ann").status_code == 200
    assert sign_in(other_user, riverside.clinic).post("/patients/search/", {"text": "ann"}).status_code == 200


def test_a_search_on_a_page_counts_once_for_each_limit(settings: Any, riverside: Place, sign_in: Any) -> None:
    settings.HMS_RATE_USER, settings.HMS_RATE_SEARCH = "3/h", "2/h"
    page = sign_in(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    assert [page.post("/patients/search/", {"text": "ann"}).status_code for _ in range(3)] == [200, 200, 429]
    assert page.get("/patients/").status_code == 429, "three requests"
    api = ApiClient(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    settings.HMS_RATE_USER = "600/m"
    assert [api.get("patients?search=ann").status_code for _ in range(3)] == [200, 200, 429], "apart from pages"


@pytest.mark.parametrize("address", ["/appointments/book/panel/", "/appointments/book/", "/queue/take/who/", "/queue/take/"])
def test_a_form_that_looks_for_somebody_counts_as_a_search(settings: Any, in_riverside: Place, sign_in: Any, address: str) -> None:
    settings.HMS_RATE_SEARCH = "1/h"
    riverside = open_queue(in_riverside)
    page = sign_in(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    somebody = riverside.patients[0]
    looking = {"location": str(riverside.locations[0].pk), "q": somebody.family_name}
    known = looking | {"patient": str(somebody.pk)}
    answers = [page.post(address, said).status_code for said in (known, looking, known, looking)]
    assert answers[3] == 429 and 429 not in answers[:3], "who is known isn't looked for"


def test_registering_looks_for_duplicates_and_counts_as_a_search(settings: Any, in_riverside: Place, sign_in: Any) -> None:
    settings.HMS_RATE_SEARCH = "1/h"
    user, data = in_riverside.users[Role.RECEPTIONIST], patient_data()
    page, api = sign_in(user, in_riverside.clinic), ApiClient(user, in_riverside.clinic)
    assert [api.post("patients", data).status_code for _ in range(2)] == [201, 429]
    form = data | {"blood_type": "unknown", "preferred_time_of_day": "any"}
    answers = [page.post("/patients/register/", form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [409, 429]
    assert 'name="family_name" value="Quill"' in answers[1].text, "to be sent again"


def test_a_refused_search_comes_back_to_be_sent_again(settings: Any, riverside: Place, sign_in: Any) -> None:
    settings.HMS_RATE_SEARCH = "1/h"
    page = sign_in(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    answers = [page.post("/patients/search/", {"text": "O'Brien & co"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "Too much at once" in answers[1].text and 'name="text" value="O&#x27;Brien &amp; co"' in answers[1].text
    assert 0 < int(answers[1]["Retry-After"]) <= 3600


# --- Refused pages ------------------------------------------------------------------------------------------------------
def test_a_refused_page_says_when_to_come_back(settings: Any, riverside: Place, sign_in: Any) -> None:
    settings.HMS_RATE_USER = "1/h"
    client = sign_in(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    client.get("/patients/")
    answer = client.get("/patients/")
    text = answer.content.decode()
    assert (answer.status_code, 3590 <= int(answer["Retry-After"]) <= 3600) == (429, True)
    assert "Too much at once" in text and "Try again in 60 minutes" in text
    fragment = client.get("/patients/", headers={"HX-Request": "true"})
    assert fragment["HX-Reswap"] == "none"
    assert "60 minutes" in json.loads(fragment["HX-Trigger"])["hms:trouble"]["text"]


def test_a_refused_form_can_be_sent_again_as_it_was(settings: Any, riverside: Place, sign_in: Any) -> None:
    settings.HMS_RATE_USER = "1/h"
    client = sign_in(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    client.get("/patients/")
    typed = {"given_name": '<b>"Ann"</b>', "notes": "two\nlines", "csrfmiddlewaretoken": "as it came"}
    text = client.post("/patients/register/?from=here", typed).content.decode()
    assert 'action="/patients/register/?from=here"' in text
    assert '<input type="hidden" name="given_name" value="&lt;b&gt;&quot;Ann&quot;&lt;/b&gt;">' in text
    assert 'name="notes" value="two\nlines"' in text.replace("\r\n", "\n")
    assert 'name="csrfmiddlewaretoken" value="as it came"' in text
    assert text.count("csrfmiddlewaretoken") == 1, "a forged form gets no token of ours"
    with_file = client.post("/patients/register/", {"notes": "seen", "file": SimpleUploadedFile("a.txt", b"x")}).content.decode()
    assert 'name="notes" value="seen"' in with_file and "asked for the file once more" in with_file
    settings.HMS_RATE_ANON = "1/h"
    stranger().get("/patients/")
    assert "given_name" not in stranger().post("/patients/register/", typed).content.decode(), "nobody is signed in"


# --- A clinic's own limits ----------------------------------------------------------------------------------------------
def test_a_clinic_may_have_limits_of_its_own(settings: Any, riverside: Place, hillcrest: Place) -> None:
    settings.HMS_RATE_USER = "5/m"
    Clinic.objects.filter(pk=riverside.clinic.pk).update(rate_user="2/m,50/h")
    own = ApiClient(riverside.users[Role.NURSE], riverside.clinic)
    assert [(a.status_code, standing(a)[0]) for a in (own.get("auth/me") for _ in range(3))] == [(200, 2), (200, 2), (429, 2)]
    assert standing(ApiClient(hillcrest.users[Role.NURSE], hillcrest.clinic).get("auth/me"))[0] == 5


def test_only_the_platform_sets_them_and_nothing_that_is_no_limit(riverside: Place, world: Any, sign_in: Any) -> None:
    change = reverse("admin:core_clinic_change", args=[riverside.clinic.pk])
    form = {name: getattr(riverside.clinic, name) for name in
            ("slug", "name", "time_zone", "locale", "country", "currency", "mrn_prefix", "state")}  # fmt: skip
    form["break_glass_minutes"] = 60
    operator = sign_in(world.platform[Role.SUPER_ADMIN], riverside.clinic)
    refused = operator.post(change, form | {"rate_user": "a lot"})
    assert refused.status_code == 200 and "like 60/m or 60/m,1000/h" in refused.content.decode()
    assert operator.post(change, form | {"rate_user": "900/m", "rate_heavy": ""}).status_code == 302
    assert Clinic.objects.get(pk=riverside.clinic.pk).rate_user == "900/m"
    own = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    own.post(change, form | {"rate_user": "9999/m"})
    assert Clinic.objects.get(pk=riverside.clinic.pk).rate_user == "900/m"


# --- Nothing can be read back -------------------------------------------------------------------------------------------
def test_names_say_nothing_of_whom_they_count(riverside: Place) -> None:
    user = riverside.users[Role.NURSE]
    ApiClient().post("auth/token", {"email": user.email, "password": PASSWORD})
    ApiClient(user).get("auth/me")
    stranger().post("/sign-in/", {"email": user.email, "password": "x"})
    names = [*limiter.memory._logs, *RateCounter.objects.using("platform").values_list("key", flat=True)]
    assert len(names) >= 6
    assert all(re.fullmatch(r"hms:[0-9a-f]{32}", name) for name in names)
