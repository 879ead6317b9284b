"""The page behind a reminder's link: what it shows, what it does, and when it is over."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone

from appointments.choices import Status
from appointments.models import Appointment, AppointmentChange, Claim, Reminder
from appointments.services import reschedule_appointment
from appointments.tokens import token_of
from core.accounts.actor import system_actor
from tests.factories.visits import at, book
from tests.factories.world import Place


@pytest.fixture
def visit(in_riverside: Place) -> Appointment:
    return book(in_riverside, at(in_riverside, 21, 10))


@pytest.fixture
def reminder(visit: Appointment) -> Reminder:
    return Reminder.objects.create(appointment=visit, kind="first", start=visit.start)


def address(reminder: Reminder) -> str:
    return f"/visit/{token_of(reminder.clinic_id, reminder.pk)}/"


def say(reminder: Reminder, reply: str, **more: str) -> Any:
    return Client().post(address(reminder), {"reply": reply, **more})


def status_of(visit: Appointment) -> str:
    return Appointment.objects.get(pk=visit.pk).status


def test_it_shows_the_clinic_the_day_and_the_time_and_no_more(visit: Appointment, reminder: Reminder) -> None:
    for _ in range(3):  # whatever opens links to look at them
        answer = Client().get(address(reminder))
        assert answer.status_code == 200
    page = answer.content.decode()
    assert "Riverside Practice" in page and "10:00" in page
    for hidden in (
        "Consultation",
        "Hale",
        "Main street",
        visit.patient.full_name,
        visit.patient.mrn,
        str(visit.pk),
        str(reminder.pk),
    ):
        assert hidden not in page
    assert answer["X-Robots-Tag"] == "noindex, nofollow" and "no-store" in answer["Cache-Control"]
    assert AppointmentChange.objects.filter(appointment=visit).count() == 1  # that it was booked
    assert status_of(visit) == Status.CONFIRMED


def test_confirming_a_request_confirms_it_once(visit: Appointment, reminder: Reminder) -> None:
    Appointment.objects.filter(pk=visit.pk).update(status=Status.REQUESTED)
    assert say(reminder, "confirm").status_code == 200
    assert status_of(visit) == Status.CONFIRMED
    assert say(reminder, "confirm").status_code == 404
    last = AppointmentChange.objects.filter(appointment=visit).order_by("-at").first()
    assert last and (last.kind, last.to_status, last.actor_id) == ("status", "confirmed", None)
    assert visit.patient.family_name not in last.actor_name


def test_confirming_a_confirmed_one_and_being_late_are_told_in_the_history(visit: Appointment, reminder: Reminder) -> None:
    say(reminder, "confirm")
    assert say(reminder, "late", minutes="20").status_code == 200
    assert say(reminder, "late", minutes="30").status_code == 404
    told = AppointmentChange.objects.filter(appointment=visit, kind="answered").order_by("at")
    assert [one.reason for one in told] == ["Confirms the visit", "20 minutes late"]
    reminder.refresh_from_db()
    assert reminder.late_minutes == 20 and reminder.confirmed_at and reminder.late_at
    assert status_of(visit) == Status.CONFIRMED


def test_cancelling_gives_the_time_free_and_ends_the_link(visit: Appointment, reminder: Reminder) -> None:
    assert "The visit is cancelled" in say(reminder, "cancel").content.decode()
    assert status_of(visit) == Status.CANCELLED
    assert not Claim.objects.filter(appointment=visit).exists()
    assert Client().get(address(reminder)).status_code == 404
    assert say(reminder, "cancel").status_code == say(reminder, "confirm").status_code == 404


def test_a_moved_visit_or_one_that_has_begun_is_answered_no_more(
    in_riverside: Place, visit: Appointment, reminder: Reminder
) -> None:
    reschedule_appointment(actor=system_actor(in_riverside.clinic.pk), appointment_id=visit.pk, start=at(in_riverside, 22, 11))
    assert Client().get(address(reminder)).status_code == say(reminder, "cancel").status_code == 404
    begun = timezone.now() - timedelta(minutes=1)
    Appointment.objects.filter(pk=visit.pk).update(start=begun, end=begun + timedelta(minutes=20))
    Reminder.objects.filter(pk=reminder.pk).update(start=begun)
    assert Client().get(address(reminder)).status_code == say(reminder, "late", minutes="10").status_code == 404


def test_no_other_link_leads_anywhere(in_riverside: Place, hillcrest: Place, visit: Appointment, reminder: Reminder) -> None:
    token = token_of(in_riverside.clinic.pk, reminder.pk)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    foreign = token_of(hillcrest.clinic.pk, reminder.pk)
    nobody = token_of(in_riverside.clinic.pk, uuid4())
    of_another_kind = signing.Signer(salt="another").sign(token.partition(":")[0])
    for one in (changed, foreign, nobody, of_another_kind, "nonsense", token.partition(":")[0]):
        assert Client().get(f"/visit/{one}/").status_code == 404
        assert Client().post(f"/visit/{one}/", {"reply": "cancel"}).status_code == 404
    assert status_of(visit) == Status.CONFIRMED


@pytest.mark.parametrize("said", [{}, {"reply": "delete"}, {"reply": ""}])
def test_an_answer_that_is_none_changes_nothing(said: dict[str, str], visit: Appointment, reminder: Reminder) -> None:
    assert Client().post(address(reminder), said).status_code == 404
    assert status_of(visit) == Status.CONFIRMED


@pytest.mark.parametrize("minutes,kept", [("", None), ("-5", None), ("9999", 120), ("x", None)])
def test_minutes_are_read_leniently(minutes: str, kept: int | None, reminder: Reminder) -> None:
    assert say(reminder, "late", minutes=minutes).status_code == 200
    reminder.refresh_from_db()
    assert reminder.late_minutes == kept


def test_another_sites_form_answers_nothing(visit: Appointment, reminder: Reminder) -> None:
    assert Client(enforce_csrf_checks=True).post(address(reminder), {"reply": "cancel"}).status_code == 403
    assert status_of(visit) == Status.CONFIRMED
