"""What changed in a visit, field by field, in the visit's own time zone."""

from typing import Any

import pytest

from appointments.choices import Status
from appointments.models import Appointment
from appointments.services import change_status, reschedule_appointment
from core.accounts.roles import Role
from tests.factories.visits import at, book
from tests.factories.world import Place


@pytest.fixture
def visit(in_riverside: Place) -> Appointment:
    """Booked for tomorrow at nine, moved to eleven with another doctor, then checked in."""
    booked = book(in_riverside, at(in_riverside, 1, 9), notes="fasting")
    actor = in_riverside.actor(Role.RECEPTIONIST)
    moved = reschedule_appointment(
        actor=actor, appointment_id=booked.pk, start=at(in_riverside, 1, 11), provider_id=in_riverside.providers[1].pk,
        reason="asked for", expected_version=booked.version,
    )  # fmt: skip
    return change_status(actor=actor, appointment_id=booked.pk, action="check_in", reason="", expected_version=moved.version)


def test_the_fields_stand_in_words(sign_in: Any, in_riverside: Place, visit: Appointment) -> None:
    answer = sign_in(in_riverside.users[Role.NURSE]).get(f"/appointments/{visit.pk}/changes/")
    assert answer.status_code == 200
    for told in ("<del>Dr Ruth Hale</del>", "Dr Samir Haddad</ins>", ", 09:00</del>", ", 11:00</ins>",
                 f"<del>{Status.CONFIRMED.label}</del>",
                 f"{Status.CHECKED_IN.label}</ins>", visit.patient.mrn, "Consultation", "fasting"):  # fmt: skip
        assert told in answer.text
    assert visit.patient.family_name not in answer.text.split("<main")[1]


def test_it_is_one_step_from_the_visit_s_page(sign_in: Any, in_riverside: Place, visit: Appointment) -> None:
    link = f"/appointments/{visit.pk}/changes/"
    assert link in sign_in(in_riverside.users[Role.NURSE]).get(f"/appointments/{visit.pk}/").text
    assert link not in sign_in(in_riverside.users[Role.PHARMACIST]).get(f"/appointments/{visit.pk}/").text


def test_a_visit_of_another_place_or_clinic_is_not_found(
    sign_in: Any, in_riverside: Place, hillcrest: Place, visit: Appointment
) -> None:
    other = sign_in(hillcrest.users[Role.CLINIC_ADMIN]).get(f"/appointments/{visit.pk}/changes/")
    assert other.status_code == 404
    membership = in_riverside.memberships[Role.NURSE]
    membership.location_ids = [in_riverside.locations[1].pk]
    membership.save()
    assert sign_in(in_riverside.users[Role.NURSE]).get(f"/appointments/{visit.pk}/changes/").status_code == 404
