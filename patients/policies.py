"""Which patients a person may see."""

from core.accounts.actor import Actor
from patients.models import Document, Patient, PatientAccount
from patients.querysets import DocumentQuerySet, PatientQuerySet


def visible_patients(actor: Actor) -> PatientQuerySet:
    """All of the clinic's for those who may view patients; for a PATIENT only those tied to the account; else none."""
    patients: PatientQuerySet = Patient.objects.all()
    if not actor.can("patient", "view"):
        return patients.none()
    if actor.is_patient_only and actor.user_id is not None:
        return patients.filter(pk__in=PatientAccount.objects.filter(user_id=actor.user_id).values("patient_id"))
    return patients


def visible_documents(actor: Actor) -> DocumentQuerySet:
    """All of the clinic's for those who may view documents; else none. A PATIENT may not: nobody has read them through yet."""
    documents: DocumentQuerySet = Document.objects.all()
    return documents if actor.can("document", "view") else documents.none()
