"""Which patients a person may see."""

from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import Conflict
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
    """All of the clinic's for those who may view documents; else none. A PATIENT may not: nobody has read them through yet.

    Nobody sees those whose files were destroyed: what is left of them counts, and says nothing.
    """
    documents: DocumentQuerySet = Document.objects.exclude(stored=None)
    return documents if actor.can("document", "view") else documents.none()


def refuse_anonymised(patient: Patient) -> None:
    """Nothing is added to a record that is nobody's any more. Raises Conflict."""
    if patient.is_anonymised:
        raise Conflict(_("This record was anonymised. Nothing can be changed in it."))
