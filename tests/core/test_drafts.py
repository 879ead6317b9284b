"""What somebody was typing is kept for them alone, encrypted."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict

from core.accounts.roles import Role
from core.drafts import services
from core.drafts.models import Draft
from core.drafts.services import draft_of, drop_draft, keep_draft
from core.idempotency.models import IdempotencyRecord
from core.tenancy.context import clinic_scope
from tests.factories.databases import somebody_waits_for
from tests.factories.patience import eventually
from tests.factories.threads import apart
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


def test_what_was_on_its_way_when_the_form_was_sent_is_not_kept(riverside: Place, sign_in: Any) -> None:
    desk, key, autosave = sign_in(riverside.users[Role.RECEPTIONIST]), "the-key-of-the-form", "/drafts/patient-register/"
    typed = {"given_name": "Zoë", "family_name": "Late", "date_of_birth": "1984-03-07", "sex": "female", "idempotency_key": key,
             "blood_type": "unknown", "preferred_time_of_day": "any"}  # fmt: skip
    assert desk.post(autosave, {"given_name": "Zoë"}, headers={"Form-Key": key}).status_code == 200
    assert desk.post("/patients/register/", {**typed, "sex": ""}).status_code == 422
    assert desk.post(autosave, {"given_name": "Zoë"}, headers={"Form-Key": key}).status_code == 200, "it was not taken"
    assert desk.post("/patients/register/", typed).status_code == 303
    assert desk.post(autosave, {"given_name": "Zoë"}, headers={"Form-Key": key}).status_code == 204
    assert kept_by(riverside, Role.RECEPTIONIST) == set()
    assert desk.post(autosave, {"given_name": "Amara"}, headers={"Form-Key": "the-key-of-another"}).status_code == 200
    assert kept_by(riverside, Role.RECEPTIONIST) == {"patient-register"}


def test_an_older_draft_of_a_page_changes_nothing_and_another_page_does(riverside: Place, sign_in: Any) -> None:
    desk = sign_in(riverside.users[Role.RECEPTIONIST])

    def kept(name: str, **headers: str) -> list[str]:
        assert desk.post("/drafts/patient-register/", {"given_name": name}, headers=headers).status_code == 200
        with clinic_scope(riverside.clinic, user_id=riverside.users[Role.RECEPTIONIST].pk, reason="test"):
            return Draft.objects.get().values["given_name"]

    assert kept("Zoë", **{"Draft-Step": "one/9"}) == ["Zoë"]
    assert kept("Zo", **{"Draft-Step": "one/8"}) == ["Zoë"], "it was sent before"
    assert kept("Zoé", **{"Draft-Step": "one/10"}) == ["Zoé"]
    assert kept("Amara", **{"Draft-Step": "another/1"}) == ["Amara"]
    assert kept("Zoë", **{"Draft-Step": "one/11"}) == ["Zoë"]
    assert kept("Without scripts") == ["Without scripts"]
    assert kept("Again") == ["Again"]


@pytest.mark.parametrize("step", ["7", "one/", "one/-1", "one/1234567890", "/7", "One/7", "one/٧", "one/7\t8", "x" * 37 + "/1"])
def test_a_step_of_another_shape_is_refused_by_name(riverside: Place, sign_in: Any, step: str) -> None:
    desk = sign_in(riverside.users[Role.RECEPTIONIST])
    refused = desk.post("/drafts/patient-register/", {"given_name": "Zoë"}, headers={"Draft-Step": step})
    assert refused.status_code == 400 and "step of a draft" in refused.content.decode()
    assert kept_by(riverside, Role.RECEPTIONIST) == set()


def test_a_draft_waits_for_the_form_that_is_just_being_taken(riverside: Place) -> None:
    actor, key, dropped = riverside.actor(Role.RECEPTIONIST), "the-key-of-the-form", threading.Event()

    def at_the_desk[T](do: Callable[[], T]) -> T:
        with clinic_scope(riverside.clinic, user_id=actor.user_id, reason="test"):
            return do()

    def take() -> None:
        IdempotencyRecord.objects.create(user_id=actor.user_id, key=key, fingerprint="", status=303)
        drop_draft(actor=actor, form="patient-register")
        dropped.set()
        with connection.cursor() as cursor:
            eventually(lambda: somebody_waits_for(cursor))

    def keep() -> Draft | None:
        assert dropped.wait(20)
        return keep_draft(actor=actor, form="patient-register", typed=TYPED, key=key)

    try:
        assert apart(lambda: at_the_desk(take), lambda: at_the_desk(keep)) == [None, None]
        assert apart(lambda: at_the_desk(Draft.objects.count)) == [0]
    finally:
        apart(lambda: at_the_desk(IdempotencyRecord.objects.filter(key=key).delete))


def test_one_form_holds_so_much_and_no_more(riverside: Place, sign_in: Any) -> None:
    desk = sign_in(riverside.users[Role.RECEPTIONIST])
    half = "é" * (services.MOST_BYTES // 4 - 10)
    assert desk.post("/drafts/patient-register/", {"notes": [half, half]}).status_code == 200
    refused = desk.post("/drafts/patient-register/", {"notes": [half, half], "more": "x" * 100}, headers={"HX-Request": "true"})
    assert refused.status_code == 413 and "too long to be kept as a draft" in refused["HX-Trigger"]
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.RECEPTIONIST].pk, reason="test"):
        assert Draft.objects.get().values == {"notes": [half, half]}


def test_who_is_only_a_patient_fills_in_no_form_that_is_kept(riverside: Place, sign_in: Any) -> None:
    patient = sign_in(riverside.users[Role.PATIENT])
    assert patient.post("/drafts/patient-register/", {"given_name": "Zoë"}).status_code == 403
    assert kept_by(riverside, Role.PATIENT) == set()


def kept_by(place: Place, role: Role) -> set[str]:
    with clinic_scope(place.clinic, user_id=place.users[role].pk, reason="test"):
        return set(Draft.objects.values_list("form", flat=True))
