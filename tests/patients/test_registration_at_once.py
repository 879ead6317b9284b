"""Several desks register at the same moment: every number once, and one person once."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from core.accounts.actor import system_actor
from core.database.roles import connected_as
from core.events.models import DomainEvent
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.errors import DuplicatePatient
from patients.models import MrnSequence, Patient, PatientToken
from patients.services import register_patient
from tests.factories.patients import patient_data
from tests.factories.threads import apart


@pytest.fixture(scope="module")
def busy(django_db_setup: None, django_db_blocker: Any) -> Iterator[Clinic]:
    """A clinic of its own: what the desks commit is taken away again by the owner."""
    with django_db_blocker.unblock():
        clinic = Clinic.objects.create(
            slug="busy", name="Busy", time_zone="Europe/London", country="GB", currency="GBP", mrn_prefix="BZ"
        )
    yield clinic
    with django_db_blocker.unblock(), connected_as("hms_owner"):
        with clinic_scope(clinic, reason="test"):
            for model in (PatientToken, Patient, MrnSequence, DomainEvent):
                model.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM core_clinic WHERE id = %s", [clinic.pk])


def test_every_number_is_given_once_also_the_first(busy: Clinic) -> None:
    def desk(number: int) -> str:
        with clinic_scope(busy, reason="test"):
            data = patient_data(
                given_name="Ab" * (number + 1), family_name="Cd" * (number + 1), date_of_birth=f"19{50 + number}-01-01"
            )
            return register_patient(actor=system_actor(busy.pk), data=data).mrn

    numbers = apart(*(lambda number=number: desk(number) for number in range(6)))
    assert sorted(numbers) == [f"BZ-{number:07d}" for number in range(1, 7)]


def test_one_person_at_two_desks_is_registered_once(busy: Clinic) -> None:
    def desk() -> str:
        try:
            with clinic_scope(busy, reason="test"):
                return register_patient(actor=system_actor(busy.pk), data=patient_data(family_name="Onlyonce")).mrn
        except DuplicatePatient:
            return "refused"

    outcomes = apart(desk, desk, desk)
    assert sorted(outcomes)[1:] == ["refused", "refused"]
