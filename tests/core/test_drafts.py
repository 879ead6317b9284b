"""What somebody was typing is kept for them alone, encrypted."""

from typing import Any

import pytest
from django.http import QueryDict

from core.accounts.roles import Role
from core.drafts import services
from core.drafts.models import Draft
from core.drafts.services import draft_of, drop_draft, keep_draft
from core.tenancy.context import clinic_scope
from tests.factories.world import Place

TYPED = QueryDict("given_name=Amélie&reminder_channels=sms&reminder_channels=email&password=x&csrfmiddlewaretoken=y")


def test_a_draft_comes_back_as_typed_without_secrets(riverside: Place) -> None:
    actor = riverside.actor(Role.RECEPTIONIST)
    with clinic_scope(riverside.clinic, user_id=actor.user_id, reason="test"):
        keep_draft(actor=actor, form="patient-register", typed=TYPED)
        found = draft_of(actor=actor, form="patient-register")
        assert found is not None
        assert found.values == {"given_name": ["Amélie"], "reminder_channels": ["sms", "email"]}
        assert "Amélie".encode() not in bytes(found.payload)


def test_nobody_else_sees_it(riverside: Place) -> None:
    actor, other = riverside.actor(Role.RECEPTIONIST), riverside.actor(Role.NURSE)
    with clinic_scope(riverside.clinic, user_id=actor.user_id, reason="test"):
        keep_draft(actor=actor, form="patient-register", typed=TYPED)
    with clinic_scope(riverside.clinic, user_id=other.user_id, reason="test"):
        assert Draft.objects.count() == 0


def test_a_finished_form_leaves_no_draft(riverside: Place) -> None:
    actor = riverside.actor(Role.RECEPTIONIST)
    with clinic_scope(riverside.clinic, user_id=actor.user_id, reason="test"):
        keep_draft(actor=actor, form="patient-register", typed=TYPED)
        keep_draft(actor=actor, form="patient-register", typed=TYPED)
        assert Draft.objects.count() == 1
        drop_draft(actor=actor, form="patient-register")
        assert draft_of(actor=actor, form="patient-register") is None


def test_the_page_keeps_and_drops_it(riverside: Place, sign_in: object) -> None:
    client = sign_in(riverside.users[Role.RECEPTIONIST])  # type: ignore[operator]
    assert client.post("/drafts/patient-register/", {"given_name": "Zoë"}).status_code == 200
    assert client.delete("/drafts/patient-register/").status_code == 204
    assert client.post("/drafts/" + "x" * 200 + "/", {"given_name": "Zoë"}).status_code in (400, 404)


def test_nobody_fills_the_database_with_them(riverside: Place, sign_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_OF_A_PERSON", 3)
    desk, nurse = sign_in(riverside.users[Role.RECEPTIONIST]), sign_in(riverside.users[Role.NURSE])
    assert nurse.post("/drafts/patient-register/", {"given_name": "Zoë"}).status_code == 200
    for number in range(4):
        assert desk.post(f"/drafts/form:{number}/", {"given_name": "Zoë"}).status_code == 200
    assert desk.post("/drafts/form:1/", {"given_name": "Amara"}).status_code == 200  # no new one: nothing goes
    assert kept_by(riverside, Role.RECEPTIONIST) == {"form:1", "form:2", "form:3"}
    assert desk.post("/drafts/form:4/", {"given_name": "Zoë"}).status_code == 200
    assert kept_by(riverside, Role.RECEPTIONIST) == {"form:1", "form:3", "form:4"}
    assert kept_by(riverside, Role.NURSE) == {"patient-register"}


def test_one_form_holds_so_much_and_no_more(riverside: Place, sign_in: Any) -> None:
    desk = sign_in(riverside.users[Role.RECEPTIONIST])
    half = "é" * (services.MOST_BYTES // 4 - 10)
    assert desk.post("/drafts/patient-register/", {"notes": [half, half]}).status_code == 200
    assert desk.post("/drafts/patient-register/", {"notes": [half, half], "more": "x" * 100}).status_code == 413
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.RECEPTIONIST].pk, reason="test"):
        assert Draft.objects.get().values == {"notes": [half, half]}


def test_who_is_only_a_patient_fills_in_no_form_that_is_kept(riverside: Place, sign_in: Any) -> None:
    patient = sign_in(riverside.users[Role.PATIENT])
    assert patient.post("/drafts/patient-register/", {"given_name": "Zoë"}).status_code == 403
    assert kept_by(riverside, Role.PATIENT) == set()


def kept_by(place: Place, role: Role) -> set[str]:
    with clinic_scope(place.clinic, user_id=place.users[role].pk, reason="test"):
        return set(Draft.objects.values_list("form", flat=True))
