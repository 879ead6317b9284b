"""A clinic in which four people have left something in every place, and processes that die while one is anonymised."""

import os
import signal
from datetime import timedelta
from typing import Any

EMAIL, PASSWORD = "desk@erased.test", "Leak-Free-2026"
# Everything that says who somebody is or was typed about them; of each person another spelling.
WORDS = {
    "given_name": "Quetzalwin{}", "middle_name": "Ottolinda{}", "family_name": "Brambleforth{}", "preferred_name": "Quetzchen{}",
    "gender": "womanly{}", "email": "quetzalwin{}@example.org", "address_line1": "14 Wisteria{} Passage",
    "address_line2": "Rear Wingletop{}", "city": "Bathampton{}", "region": "Somerfold{}", "postal_code": "BA{} 7QX",
    "national_id": "QX77441{}Z", "insurance_provider": "Mutualis{}", "insurance_policy_number": "POL-5550-883{}",
    "emergency_name": "Zephyrine{} Oakenshade", "emergency_relationship": "stepsister{}", "notes": "Hard of hearingest{}",
}  # fmt: skip
PHONES = {"phone": "+44770090098{}", "phone_alt": "+44770090065{}", "emergency_phone": "+44770090032{}"}
VISIT_NOTES, REASON, TITLE, LETTER = (
    "Came about her kneecap{}",
    "Her sisterly{} called",
    "Letterhead{}",
    "Dear colleagues of Brambleforth{}",
)
DRAFT = "Typed in confidence{}"
OTHERS = (VISIT_NOTES, REASON, TITLE, LETTER, DRAFT)


def known_of(number: int) -> list[str]:
    return [words.format(number) for words in (*WORDS.values(), *PHONES.values(), *OTHERS)]


def seed() -> dict[str, Any]:
    from clinics.models import ClinicSettings, Location, Provider
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic

    clinic = Clinic.objects.create(slug="erased", name="Erased", time_zone="UTC", country="GB", currency="GBP", mrn_prefix="ER")
    user = User.objects.create_user(EMAIL, PASSWORD, full_name="Desk")
    with clinic_scope(clinic, reason="seed"):
        ClinicSettings.objects.create(retention_years=1)
        desk = Membership.objects.create(clinic=clinic, user=user, roles=[Role.CLINIC_ADMIN]).as_actor(user)
        Location.objects.create(name="Main street")
        Provider.objects.create(name="Dr Ruth Hale")
        patients = [_patient(clinic, desk, number) for number in (1, 2, 3, 4)]
    return {"clinic": clinic.pk, "patients": [(patient.pk, patient.mrn) for patient in patients]}


def _patient(clinic: Any, desk: Any, number: int) -> Any:
    from django.utils import timezone

    from appointments.models import Appointment, AppointmentChange, Service
    from clinics.models import Location, Provider
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.messaging.models import Channel, Kind
    from core.messaging.services import post
    from patients.models import PatientAccount
    from patients.services import add_document, register_patient

    values = {name: words.format(number) for name, words in (WORDS | PHONES).items()}
    data = values | {"date_of_birth": "1971-09-30", "sex": "female", "consents": {"treatment": True}}
    patient = register_patient(actor=desk, data=data, accept_duplicate=True)
    begun = timezone.now() - timedelta(days=900)
    service, _ = Service.objects.get_or_create(name="Consultation", duration_minutes=20)
    visit = Appointment.objects.create(
        patient=patient, service=service, provider=Provider.objects.get(), location=Location.objects.get(), start=begun,
        end=begun + timedelta(minutes=20), time_zone="UTC", local_day=begun.date(), status="completed",
        notes=VISIT_NOTES.format(number),
    )  # fmt: skip
    AppointmentChange.objects.create(
        appointment=visit, kind="moved", actor_name="Desk", to_status="completed", reason=REASON.format(number)
    )
    add_document(
        actor=desk, patient_id=patient.pk, data={"title": TITLE.format(number)}, content=LETTER.format(number).encode(),
        file_name=f"{TITLE.format(number)}.txt",
    )  # fmt: skip
    own = User.objects.create_user(values["email"], PASSWORD, full_name=f"{values['given_name']} {values['family_name']}")
    Membership.objects.create(clinic=clinic, user=own, roles=[Role.PATIENT])
    PatientAccount.objects.create(patient=patient, user=own)
    text = f"Dear {values['given_name']}"
    post(kind=Kind.NOTICE, to={Channel.EMAIL: values["email"]}, channels=[Channel.EMAIL], subject=text, text=text)
    return patient


def die_before_the_second_step() -> None:
    from patients.services import anonymising

    anonymising.finish_anonymisation = _die  # type: ignore[assignment]
    _anonymise(2)


def die_within_the_second_step() -> None:
    """When the files are gone and the rest is not."""
    from patients.services import forgetting

    forgetting.erase_history_in = _die  # type: ignore[assignment]
    _anonymise(3)


def _die(*args: Any, **kwargs: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _anonymise(number: int) -> None:
    from core.accounts.actor import system_actor
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from patients.models import Patient
    from patients.services import anonymise_patient

    clinic = Clinic.objects.get(slug="erased")
    with clinic_scope(clinic, reason="test"):
        patient = Patient.objects.get(family_name=f"Brambleforth{number}")
        given = {"mrn": patient.mrn, "kind": "request", "reason": "Asked for in writing."}
        anonymise_patient(actor=system_actor(clinic.pk), patient_id=patient.pk, **given)
