"""Signing in: by page and by API, lockout, and nothing that tells whether an account exists."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from django.utils import timezone

from core.accounts import throttle
from core.accounts.models import Membership, SignInThrottle, User
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope, platform_scope
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import Place


def token(email: str, password: str = PASSWORD) -> Any:
    return ApiClient().post("auth/token", {"email": email, "password": password})


def test_the_configured_hash_is_argon2() -> None:
    from hms import settings as configured

    assert configured.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    assert Argon2PasswordHasher().encode("x", "saltsalt").startswith("argon2$argon2id$")


def test_a_page_sign_in_opens_the_clinic(client: Client, riverside: Place) -> None:
    user = riverside.users[Role.RECEPTIONIST]
    answer = client.post("/sign-in/", {"email": user.email.upper(), "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(user.pk)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_after_signing_in_nobody_is_sent_elsewhere(client: Client, riverside: Place, target: str) -> None:
    user = riverside.users[Role.NURSE]
    answer = client.post("/sign-in/", {"email": user.email, "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


def test_tokens_in_the_contracts_shape(riverside: Place) -> None:
    user = riverside.users[Role.RECEPTIONIST]
    answer = token(user.email)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert set(data) == {"access", "refresh", "expires_in", "user"}
    assert data["expires_in"] == 900
    assert data["user"]["id"] == str(user.pk)
    me = ApiClient().get("auth/me", Authorization=f"Bearer {data['access']}").json()["data"]
    assert me["clinic"]["slug"] == "riverside"
    assert [one["roles"] for one in me["memberships"]] == [["RECEPTIONIST"]]


def test_a_refresh_token_gives_a_new_pair_and_is_no_access_token(riverside: Place) -> None:
    refresh = token(riverside.users[Role.DOCTOR].email).json()["data"]["refresh"]
    assert ApiClient().post("auth/token/refresh", {"refresh": refresh}).status_code == 200
    assert ApiClient().get("auth/me", Authorization=f"Bearer {refresh}").status_code == 401


def test_a_new_password_ends_every_token(riverside: Place) -> None:
    user = riverside.users[Role.DOCTOR]
    access = token(user.email).json()["data"]["access"]
    changed = User.objects.get(pk=user.pk)  # the world's own object stays as it is
    changed.set_password("Another-Horse-2026")
    changed.save()
    assert ApiClient().get("auth/me", Authorization=f"Bearer {access}").status_code == 401


@pytest.mark.parametrize("credential", ["nonsense", "a.b.c", "", "é" * 20])
def test_a_bad_token_is_refused_everywhere(riverside: Place, credential: str) -> None:
    for path in ("auth/me", "locations", "/"):
        answer = ApiClient().get(path, Authorization=f"Bearer {credential}")
        assert answer.status_code == 401
    assert ApiClient().get("auth/me", Authorization=f"Bearer {credential}")["WWW-Authenticate"] == "Bearer"


def test_unknown_wrong_and_closed_accounts_look_alike(riverside: Place) -> None:
    closed = User.objects.create_user("closed@hms.test", PASSWORD, full_name="Closed", is_active=False)
    answers = [token("ghost@hms.test"), token(riverside.users[Role.NURSE].email, "wrong"), token(closed.email)]
    told = [{k: v for k, v in answer.json()["error"].items() if k not in ("request_id", "timestamp")} for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert told[0] == told[1] == told[2]


def test_lockout_grows_and_counts_accounts_that_do_not_exist(riverside: Place) -> None:
    for email in (riverside.users[Role.NURSE].email, "ghost@hms.test"):
        for _ in range(throttle.FREE_FAILURES["account"]):
            throttle.note_failure(email, "192.0.2.1")
        first = throttle.seconds_locked(email, "192.0.2.9")
        throttle.note_failure(email, "192.0.2.1")
        assert 0 < first < throttle.seconds_locked(email, "192.0.2.9")
        assert token(email).status_code == 401  # also with the right password


def test_the_page_says_how_long_to_wait(client: Client, riverside: Place) -> None:
    email = riverside.users[Role.NURSE].email
    for _ in range(throttle.FREE_FAILURES["account"]):
        client.post("/sign-in/", {"email": email, "password": "wrong"})
    answer = client.post("/sign-in/", {"email": email, "password": PASSWORD})
    assert answer.status_code == 422
    assert b"Too many tries" in answer.content


def test_a_success_clears_the_account_and_old_failures_are_forgotten(riverside: Place) -> None:
    email = riverside.users[Role.NURSE].email
    for _ in range(4):
        throttle.note_failure(email, "192.0.2.1")
    assert token(email).status_code == 200
    throttle.note_failure(email, "192.0.2.2")
    assert throttle.seconds_locked(email, "192.0.2.3") == 0
    with platform_scope(reason="test"):
        SignInThrottle.objects.update(failures=50, last_failure_at=timezone.now() - timedelta(days=2))
    throttle.note_failure(email, "192.0.2.2")
    assert throttle.seconds_locked(email, "192.0.2.3") == 0


def test_who_mistypes_and_then_gets_in_locks_no_colleague_out(client: Client, riverside: Place) -> None:
    """One address, many people. What an account failed before it got in is no longer held against the address."""
    for user in list(riverside.users.values())[:8]:
        for _ in range(4):
            client.post("/sign-in/", {"email": user.email, "password": "mistyped"})
        assert client.post("/sign-in/", {"email": user.email, "password": PASSWORD}).status_code == 302
        client.logout()
    for number in range(throttle.FREE_FAILURES["address"]):
        assert client.post("/sign-in/", {"email": f"ghost{number}@hms.test", "password": "tried"}).status_code == 422
    answer = client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 422, "somebody who tries account after account is"


def test_leaving_a_clinic_takes_effect_with_the_next_request(riverside: Place) -> None:
    user, api = riverside.users[Role.RECEPTIONIST], ApiClient(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    assert api.get("auth/me").status_code == 200
    with clinic_scope(riverside.clinic, reason="test"):
        Membership.objects.filter(user=user).update(state=Membership.State.LEFT)
    assert api.get("auth/me").status_code == 403
