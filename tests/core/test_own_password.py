"""A person changes the own password: the present one is asked for, every other session ends, and they are told."""

from typing import Any

import pytest
from django.test import Client

from core.accounts import throttle
from core.accounts.models import User
from core.accounts.roles import Role
from tests.conftest import PASSWORD
from tests.core.test_second_factor import letters_after
from tests.factories.api_client import ApiClient
from tests.factories.world import Place

PAGE = "/account/password/"
NEW = "Seven-Quiet-Owls-1"


@pytest.fixture
def nurse(riverside: Place) -> User:
    return riverside.users[Role.NURSE]


@pytest.fixture
def at_home(nurse: User) -> Client:
    return signed_in(nurse)


def signed_in(user: User, password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/sign-in/", {"email": user.email, "password": password})
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/sessions/").status_code == 200


def change(client: Client, current: str = PASSWORD, password: str = NEW) -> Any:
    return client.post(PAGE, {"current": current, "password": password})


def test_it_keeps_this_browser_and_ends_all_else(at_home: Client, nurse: User) -> None:
    other, program = signed_in(nurse), ApiClient(nurse)
    assert is_in(other) and program.get("auth/me").status_code == 200
    answer = change(at_home)
    assert (answer.status_code, answer["Location"]) == (303, "/account/security/")
    assert "Your password is changed" in at_home.get("/account/security/").text
    assert is_in(at_home)
    assert not is_in(other)
    assert program.get("auth/me").status_code == 401
    assert is_in(signed_in(nurse, NEW))
    assert not is_in(signed_in(nurse, PASSWORD))


def test_the_person_is_told(at_home: Client, settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    assert letters_after(lambda: change(at_home)) == 1
    assert letters_after(lambda: change(at_home, current="wrong")) == 0


def test_a_wrong_present_password_changes_nothing_and_counts(at_home: Client, nurse: User) -> None:
    answer = change(at_home, current="Wrong-Horse-2026")
    assert answer.status_code == 422
    assert "not your present password" in answer.text and NEW not in answer.text
    for _ in range(4):
        change(at_home, current="Wrong-Horse-2026")
    locked = change(at_home)
    assert locked.status_code == 422 and "Wait" in locked.text and int(locked["Retry-After"]) > 0
    assert throttle.seconds_locked(nurse.email, "nowhere") > 0
    assert User.objects.get(pk=nurse.pk).check_password(PASSWORD)


@pytest.mark.parametrize(
    ("password", "words"),
    [("short", "12 characters"), ("password1234", "too common"), ("", "required"), (PASSWORD, "present password")],
)
def test_a_bad_new_one_is_told_at_its_field(at_home: Client, nurse: User, password: str, words: str) -> None:
    answer = change(at_home, password=password)
    assert answer.status_code == 422
    assert words in answer.text
    assert User.objects.get(pk=nurse.pk).check_password(PASSWORD)
    assert is_in(at_home)


def test_strangers_are_sent_to_sign_in() -> None:
    answer = Client().get(PAGE)
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={PAGE}")


def test_the_page_of_the_account_leads_there(at_home: Client) -> None:
    assert PAGE in at_home.get("/account/security/").text
    page = at_home.get(PAGE).text
    assert page.count('type="password"') == 2
    assert 'autocomplete="current-password"' in page and 'autocomplete="new-password"' in page
