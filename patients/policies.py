"""Which patients a person may see."""

from core.accounts.actor import Actor
from patients.models import Patient, PatientAccount
from patients.querysets import PatientQuerySet


def visible_patients(actor: Actor) -> PatientQuerySet:
    """All of the clinic's for those who may view patients; for a PATIENT only those tied to the account; else none."""
    patients: PatientQuerySet = Patient.objects.all()
    if not actor.can("patient", "view"):
        return patients.none()
    if actor.is_patient_only and actor.user_id is not None:
        return patients.filter(pk__in=PatientAccount.objects.filter(user_id=actor.user_id).values("patient_id"))
    return patients
