"""Nobody learns at any entrance whether an account exists: not by status, body, headers or statements, and not by the time."""

import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.accounts.models import User
from core.accounts.roles import Role
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import Place

TRIES = 1000  # of each kind, taking turns
TOLERANCE = 0.06  # by which medians and quartiles of the two may differ, as a share
GHOST = "ghost@hms.test"
CLOSED = "closed@hms.test"


def page(path: str, **sent: str) -> Callable[[str, str], Any]:
    return lambda email, address: Client(REMOTE_ADDR=address).post(path, {**sent, "email": email})


def api(path: str, name: str = "identifier", **sent: str) -> Callable[[str, str], Any]:
    def call(email: str, address: str) -> Any:
        client = ApiClient()
        client.client.defaults["REMOTE_ADDR"] = address
        return client.post(path, {**sent, name: email})

    return call


ENTRANCES = {
    "page: password": page("/sign-in/", password="wrong"),
    "page: password again": page("/sign-in/again/", password="wrong"),
    "page: new password": page("/sign-in/forgotten/"),
    "api: password": api("auth/token", "email", password="wrong"),
    "api: password and code": api("auth/token", "email", password="wrong", otp="123456"),
    "api: code by e-mail": api("auth/otp/request", channel="email"),
    "api: code by text message": api("auth/otp/request", channel="sms"),
    "api: code by WhatsApp": api("auth/otp/request", channel="whatsapp"),
    "api: wrong code": api("auth/otp/verify", code="nonsense"),
}


@pytest.fixture(autouse=True)
def letters_can_be_sent(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.security.limiting.counters.SWEPT", 0.0)  # housekeeping by chance: a statement more for anybody
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


@pytest.fixture
def closed(riverside: Place) -> str:
    return User.objects.create_user(CLOSED, PASSWORD, full_name="Closed", is_active=False).email


def told(answer: Any, email: str) -> tuple[int, dict[str, str], str]:
    """All that the asker sees, without what differs from one request to the next."""
    of_the_asker = ("X-Request-ID", "Content-Length", "X-RateLimit-Reset", "X-RateLimit-Remaining")
    headers = {name: value for name, value in answer.headers.items() if name not in of_the_asker}
    headers["Server-Timing"] = re.sub(r"dur=[\d.]+", "", headers["Server-Timing"])  # the number of statements stays
    body = answer.content.decode().replace(email, "WHO").replace(answer["X-Request-ID"], "REQUEST")
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", body)
    return answer.status_code, headers, re.sub(r'"timestamp":"[^"]+"', "", body)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_known_unknown_and_closed_accounts_are_told_the_same(entrance: str, riverside: Place, closed: str) -> None:
    call = ENTRANCES[entrance]
    call("warm@hms.test", "10.0.0.1")  # what the first request of a process does is no answer about anybody
    people = [riverside.users[Role.NURSE].email, GHOST, closed, riverside.users[Role.DOCTOR].email.upper()]
    seen = [told(call(email, f"10.0.1.{number}"), email) for number, email in enumerate(people)]
    assert seen[0][0] in (200, 401, 422)
    for status, headers, body in seen[1:]:
        assert (status, body) == (seen[0][0], seen[0][2])
        assert headers.items() ^ seen[0][1].items() == set()


def test_a_passkey_is_asked_for_without_naming_anybody(riverside: Place) -> None:
    asked = Client().post("/sign-in/passkey/ask/").json()["publicKey"]
    assert asked.get("allowCredentials", []) == []


def test_codes_that_were_asked_for_are_refused_alike(riverside: Place, closed: str) -> None:
    seen = []
    for number, email in enumerate((riverside.users[Role.NURSE].email, GHOST, closed)):
        ENTRANCES["api: code by e-mail"](email, f"10.0.2.{number}")
        seen += [[told(ENTRANCES["api: wrong code"](email, f"10.0.2.{number}"), email) for _ in range(4)]]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.slow
@pytest.mark.parametrize("entrance", ["page: new password", "api: code by e-mail", "api: wrong code", "api: password"])
def test_the_time_says_nothing_either(entrance: str, riverside: Place, settings: Any) -> None:
    """Medians and quartiles of a thousand tries each, known and unknown in turns: within TOLERANCE of each other.

    Each account is tried three times and from an address of its own, so that nobody is locked. Passwords by Argon2, as served.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    each = 3
    made = User.objects.create_user("first@many.test", PASSWORD, full_name="Many", is_active=True)
    User.objects.bulk_create(
        [User(email=f"p{number}@many.test", full_name="Many", password=made.password) for number in range(TRIES // each + 1)]
    )
    call, taken = ENTRANCES[entrance], {True: [], False: []}
    call("warm@hms.test", "10.9.9.9")
    for number in range(TRIES):
        for known in (True, False) if number % 2 else (False, True):
            who = f"{'p' if known else 'q'}{number // each}@many.test"
            began = time.perf_counter()
            call(who, f"10.{1 + known}.{number // each // 250}.{number // each % 250}")
            taken[known].append(time.perf_counter() - began)
    quartiles = [statistics.quantiles(taken[known], n=4) for known in (True, False)]
    for here, there in zip(*quartiles, strict=True):
        assert abs(here - there) / there < TOLERANCE, quartiles
