"""What somebody was typing is kept for them alone, encrypted."""

from django.http import QueryDict

from core.accounts.roles import Role
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
