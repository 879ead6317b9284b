"""Tries of an attacker that once got through, each kept as a test."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.accounts.models import User
from core.accounts.roles import Role
from core.idempotency.models import IdempotencyRecord
from core.tenancy.context import clinic_scope
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World

USERS = reverse("admin:core_user_changelist")


# --- The administration ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lookup", ["password__startswith", "password", "password__regex", "last_login__isnull"])
def test_no_list_of_the_admin_can_be_asked_about_what_it_does_not_offer(world: World, sign_in: Any, lookup: str) -> None:
    client = sign_in(world.platform[Role.SUPPORT])
    assert client.get(USERS, {lookup: "a"}).status_code == 400


def test_what_a_list_offers_as_a_filter_still_works(world: World, sign_in: Any) -> None:
    client = sign_in(world.platform[Role.SUPPORT])
    for offered in ({"is_active__exact": "1"}, {"platform_role__exact": "SUPPORT"}, {"created_at__year": "2026"}):
        assert client.get(USERS, offered).status_code == 200


def test_a_patients_name_is_no_filter_of_an_address(riverside: Place, sign_in: Any) -> None:
    client = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    assert client.get(reverse("admin:patients_patient_changelist"), {"family_name__startswith": "A"}).status_code == 400


def test_a_system_administrator_makes_no_super_administrator(world: World, sign_in: Any) -> None:
    client = sign_in(world.platform[Role.SYSTEM_ADMIN])
    new = {"email": "up@hms.test", "full_name": "Up", "platform_role": "SUPER_ADMIN", "password": "Quiet-Harbour-81"}
    assert client.post(reverse("admin:core_user_add"), new).status_code == 200
    assert not User.objects.filter(email="up@hms.test").exists()
    assert client.post(reverse("admin:core_user_add"), {**new, "platform_role": "SUPPORT"}).status_code == 302
    lower = User.objects.get(email="up@hms.test")
    raised = {"email": lower.email, "full_name": "Up", "platform_role": "SUPER_ADMIN", "is_active": "on", "new_password": ""}
    assert client.post(reverse("admin:core_user_change", args=[lower.pk]), raised).status_code == 200
    lower.refresh_from_db()
    assert lower.platform_role == Role.SUPPORT


def test_a_system_administrator_takes_over_no_super_administrator(world: World, sign_in: Any) -> None:
    highest = world.platform[Role.SUPER_ADMIN]
    client = sign_in(world.platform[Role.SYSTEM_ADMIN])
    form = {"email": highest.email, "full_name": highest.full_name, "platform_role": "SUPER_ADMIN", "is_active": "on"}
    for change in ({"new_password": "Quiet-Harbour-81"}, {"new_password": "", "email": "mine@hms.test"}):
        assert client.post(reverse("admin:core_user_change", args=[highest.pk]), {**form, **change}).status_code == 200
    assert client.post(USERS, {"action": "deactivate", "_selected_action": [str(highest.pk)]}).status_code == 302
    highest.refresh_from_db()
    assert highest.is_active and highest.check_password(PASSWORD) and highest.email != "mine@hms.test"


# --- Idempotency keys -------------------------------------------------------------------------------------------------------
def test_a_sign_in_under_an_idempotency_key_is_not_kept(riverside: Place) -> None:
    person = riverside.users[Role.DOCTOR]
    body = {"email": person.email, "password": PASSWORD}
    answers = [ApiClient(person).post("auth/token", body, Idempotency_Key="signing-in-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not any("Idempotency-Replayed" in answer for answer in answers)
    with clinic_scope(riverside.clinic, user_id=person.pk, reason="test"):
        assert not IdempotencyRecord.objects.exists()


def test_somebody_signed_in_signs_in_again_with_a_key(riverside: Place) -> None:
    client = Client()
    client.force_login(riverside.users[Role.NURSE])
    form = {"email": riverside.users[Role.DOCTOR].email, "password": PASSWORD, "idempotency_key": "signing-in-2"}
    assert [client.post("/sign-in/", form).status_code for _ in range(2)] == [302, 302]
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.NURSE].pk, reason="test"):
        assert not IdempotencyRecord.objects.exists()


def test_what_is_kept_of_a_body_cant_be_guessed_without_the_secret(riverside: Place, settings: Any) -> None:
    person = riverside.users[Role.CLINIC_ADMIN]
    prints = []
    for secret in ("first" * 12, "second" * 12):
        settings.SECRET_KEY = secret
        with clinic_scope(riverside.clinic, user_id=person.pk, reason="test"):
            IdempotencyRecord.objects.all().delete()
        ApiClient(person).post("patients/search", {"search": "Quartermaine"}, Idempotency_Key="fingerprint-1")
        with clinic_scope(riverside.clinic, user_id=person.pk, reason="test"):
            prints.append(IdempotencyRecord.objects.get(key="fingerprint-1").fingerprint)
    assert prints[0] != prints[1]


# --- Odd requests -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/%00", "/patients/%00/", "/api/v2/patients/%00", "/admin/patients/patient/%00/change/"])
def test_a_nul_in_an_address_is_refused(riverside: Place, sign_in: Any, path: str) -> None:
    client = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    client.raise_request_exception = False
    assert client.get(path).status_code == 400


def test_a_nul_names_no_clinic(world: World, sign_in: Any) -> None:
    client = sign_in(world.platform[Role.SUPER_ADMIN])
    client.raise_request_exception = False
    assert client.get("/patients/?clinic_id=%00").status_code == 400
    assert client.get("/patients/", headers={"X-Clinic-ID": "nowhere"}).status_code == 403


def test_an_endless_if_match_matches_nothing(riverside: Place) -> None:
    location = riverside.locations[0]
    tag = '"' + "9" * 5000 + '"'
    answer = ApiClient(riverside.users[Role.CLINIC_ADMIN]).patch(f"locations/{location.pk}", {"name": "X"}, If_Match=tag)
    assert answer.status_code == 412


def test_a_clinic_may_be_named_in_any_spelling_of_its_id(riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.DOCTOR])
    for said in (str(riverside.clinic.pk).upper(), riverside.clinic.pk.hex, riverside.clinic.slug.upper()):
        assert api.get("patients", X_Clinic_ID=said).status_code == 200
