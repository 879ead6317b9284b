"""What a patient agreed to or took back. Rows are added, never changed."""

from collections.abc import Mapping
from uuid import UUID

from core.accounts.actor import Actor
from core.events.announcing import announce
from core.validators import Problems
from patients import events
from patients.models import Consent, Patient
from patients.policies import refuse_anonymised, visible_patients
from patients.validators import clean_consent_kind


def note_consent(*, actor: Actor, patient_id: UUID, kind: str, given: bool) -> Consent:
    """Note a yes or no; the newest of a kind counts. Raises NotFound, ValidationFailed."""
    actor.require("patient", "change")
    patient: Patient = visible_patients(actor).select_for_update().record(pk=patient_id)
    refuse_anonymised(patient)
    problems = Problems()
    kind, given = clean_consent_kind(kind, given, problems)
    problems.raise_if_any()
    consent = Consent.objects.create(patient=patient, kind=kind, given=given, noted_by_id=actor.user_id)
    announce(events.CHANGED, patient.pk, patient=patient.pk)
    return consent


def add_consents(*, actor: Actor, patient: Patient, consents: Mapping[str, bool]) -> None:
    """Note several that were cleaned already. One statement."""
    Consent.objects.bulk_create(
        [Consent(patient=patient, kind=kind, given=given, noted_by_id=actor.user_id) for kind, given in consents.items()]
    )
