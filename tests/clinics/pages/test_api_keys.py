"""The pages on which administrators make, see and end the keys of other systems."""

import re
from typing import Any

import pytest
from django.test import Client

from core.accounts.api_keys.models import ApiKey
from core.accounts.api_keys.scopes import SCOPES
from core.accounts.api_keys.services import make_api_key
from core.accounts.roles import Role
from core.idempotency.models import IdempotencyRecord
from core.tenancy.context import clinic_scope
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.api_keys import made_key, turn_back
from tests.factories.world import Place

KEYS, MAKE = "/settings/api-keys/", "/settings/api-keys/make/"
GIVEN = {"name": "Laboratory", "days": "30", "scopes": ["patient:view", "document:create"]}


@pytest.fixture
def at_desk(riverside: Place) -> Client:
    """The administrator's, who has just given the password."""
    client = Client()
    user = riverside.users[Role.CLINIC_ADMIN]
    client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    return client


def keys(place: Place) -> list[ApiKey]:
    with clinic_scope(place.clinic, reason="test"):
        return list(ApiKey.objects.filter(clinic=place.clinic))


def test_an_administrator_makes_a_key_and_sees_it_once(at_desk: Client, riverside: Place) -> None:
    form = at_desk.get(MAKE)
    assert [f'value="{scope}"' in form.text for scope in SCOPES] == [True] * len(SCOPES)
    made = at_desk.post(MAKE, GIVEN)
    assert made.status_code == 200
    found = re.search(r"hms_[0-9a-f]{32}_[0-9a-f]{40}", made.text)
    assert found
    assert made["Cache-Control"] == "no-store"
    client = ApiClient(key=found[0])
    assert (client.get("patients").status_code, client.get("services").status_code) == (200, 403)
    page = at_desk.get(KEYS).text
    assert "Laboratory" in page and "Patients and consents" in page and found[0].rpartition("_")[2] not in page
    assert riverside.users[Role.CLINIC_ADMIN].full_name in page
    assert "last used" in page


def test_the_answer_with_the_key_is_kept_nowhere(at_desk: Client, riverside: Place) -> None:
    assert "idempotency_key" not in at_desk.get(MAKE).text
    at_desk.post(MAKE, GIVEN)
    assert not IdempotencyRecord.objects.filter(user=riverside.users[Role.CLINIC_ADMIN]).exists()


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(at_desk: Client, riverside: Place) -> None:
    answer = at_desk.post(MAKE, {"name": "", "days": "4000", "scopes": ["patient:view"]})
    assert answer.status_code == 422
    assert "This is needed." in answer.text and "from 1 to 365 days" in answer.text
    assert re.search(r'value="patient:view"[^>]*checked', answer.text)
    assert at_desk.post(MAKE, {**GIVEN, "scopes": []}).status_code == 422
    assert at_desk.post(MAKE, {**GIVEN, "scopes": ["user:create"]}).status_code == 422
    assert at_desk.post(MAKE, {**GIVEN, "days": "soon"}).status_code == 422
    assert keys(riverside) == []
    assert [at_desk.post(MAKE, GIVEN).status_code for _ in range(2)] == [200, 422]  # sent twice, made once
    assert len(keys(riverside)) == 1


def test_making_one_asks_for_the_password_again_after_a_while(at_desk: Client, riverside: Place) -> None:
    session = at_desk.session
    session["proved_at"] = 0
    session.save()
    for answer in (at_desk.get(MAKE), at_desk.post(MAKE, GIVEN)):
        assert (answer.status_code, answer["Location"]) == (303, f"/account/confirm/?next={MAKE}")
    assert keys(riverside) == []
    at_desk.post("/account/confirm/", {"password": PASSWORD, "next": MAKE})
    assert at_desk.get(MAKE).status_code == 200


def test_an_administrator_ends_one_after_being_asked(at_desk: Client, riverside: Place) -> None:
    key, text = made_key(riverside, name="Laboratory")
    where = f"{KEYS}{key.pk}/end/"
    assert "Laboratory" in at_desk.get(where).text
    assert ApiClient(key=text).get("clinics").status_code == 200
    answer = at_desk.post(where)
    assert (answer.status_code, answer["Location"]) == (303, KEYS)
    assert ApiClient(key=text).get("clinics").status_code == 401
    page = at_desk.get(KEYS).text
    assert "No longer in use" in page and "ended on" in page


def test_an_expired_key_is_shown_as_one(at_desk: Client, riverside: Place) -> None:
    key, _ = made_key(riverside, name="Laboratory")
    turn_back(riverside, key, expires_at={"days": 2})
    assert "expired on" in at_desk.get(KEYS).text


def test_another_clinics_keys_are_neither_seen_nor_ended(at_desk: Client, hillcrest: Place) -> None:
    key, _ = made_key(hillcrest, name="Hill laboratory")
    assert "Hill laboratory" not in at_desk.get(KEYS).text
    assert at_desk.get(f"{KEYS}{key.pk}/end/").status_code == 404
    assert at_desk.post(f"{KEYS}{key.pk}/end/").status_code == 404


@pytest.mark.parametrize(
    ("role", "sees", "makes"), [(Role.AUDITOR, 200, 403), (Role.DOCTOR, 403, 403), (Role.CLINIC_ADMIN, 200, 200)]
)
def test_who_sees_and_who_makes(riverside: Place, role: Role, sees: int, makes: int) -> None:
    client = Client()
    client.post("/sign-in/", {"email": riverside.users[role].email, "password": PASSWORD})
    assert (client.get(KEYS).status_code, client.get(MAKE).status_code) == (sees, makes)
    assert ("Make a key" in client.get(KEYS).text) == (makes == 200)
    assert ("/settings/api-keys/" in client.get("/settings/").text) == (sees == 200)


def test_the_letter_says_who_made_what_and_never_the_key(riverside: Place, letters: list[Any]) -> None:
    administrator = riverside.actor(Role.CLINIC_ADMIN)
    with clinic_scope(riverside.clinic, reason="test"):
        _, text = make_api_key(actor=administrator, name="Laboratory", scopes=["patient:view", "slot:view"])
    (letter,) = letters
    said = (riverside.users[Role.CLINIC_ADMIN].email, "Laboratory", "patient:view", "slot:view", riverside.clinic.name)
    assert [one for one in said if one not in letter.text] == []
    assert text.rpartition("_")[2] not in letter.text
    assert riverside.users[Role.CLINIC_ADMIN].email in letter.addresses
