"""Short lists about patients."""

from uuid import UUID

from core.accounts.actor import Actor
from patients.models import Consent, Patient
from patients.policies import open_patients, visible_documents, visible_patients


def recent_patients(*, actor: Actor, limit: int = 10) -> list[Patient]:
    """The records registered or changed last, newest first. One query."""
    actor.require("patient", "view")
    return list(visible_patients(actor).current().for_list().order_by("-updated_at", "-id")[:limit])


def latest_consents(*, actor: Actor, patient_id: UUID) -> dict[str, Consent]:
    """The consent of each kind that counts, by kind. One query; empty for a patient one may not see."""
    actor.require("patient", "view")
    rows = (
        Consent.objects.filter(patient_id=patient_id, patient__in=open_patients(actor))
        .order_by("kind", "-created_at", "-id")
        .distinct("kind")
    )
    return {row.kind: row for row in rows}


def record_rows(*, actor: Actor, patient_id: UUID) -> list[UUID]:
    """The rows that make up a patient's record: the patient, the consents, the documents that one may see. One query."""
    actor.require("patient", "view")
    patient = open_patients(actor).filter(pk=patient_id).values_list("pk")
    consents = Consent.objects.filter(patient_id=patient_id, patient__in=open_patients(actor)).values_list("pk")
    documents = visible_documents(actor).filter(patient_id=patient_id).values_list("pk")
    return [pk for (pk,) in patient.union(consents, documents, all=True)]
