"""Which patients a person may see."""

from collections.abc import Iterable
from uuid import UUID

from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.audit.restricted import Opening, access_of_reader
from core.cache import Tag
from core.errors import Conflict, NotAllowed
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


def open_patients(actor: Actor) -> PatientQuerySet:
    """Of those the ones whose record is open to them; where something of the record itself is asked for."""
    return visible_patients(actor).open_to_reader()


def visible_documents(actor: Actor) -> DocumentQuerySet:
    """All of the clinic's for those who may view documents, without those of restricted records that are not open to them; else
    none. A PATIENT may not: nobody has read them through yet.

    Nobody sees those whose files were destroyed: what is left of them counts, and says nothing.
    """
    documents: DocumentQuerySet = Document.objects.exclude(stored=None)
    if not actor.can("document", "view"):
        return documents.none()
    return documents.exclude(patient_id__in=closed) if (closed := access_of_reader().closed) else documents


def require_copying(actor: Actor) -> None:
    """May they take a copy of a record? It has the visits of every location, so nobody who works at some of them may. Raises
    NotAllowed."""
    actor.require("patient", "export")
    if actor.location_ids:
        raise NotAllowed(_("A copy has the visits of every location. Somebody who works at all of them can take it."))


def refuse_anonymised(patient: Patient) -> None:
    """Nothing is added to a record that is nobody's any more. Raises Conflict."""
    if patient.is_anonymised:
        raise Conflict(_("This record was anonymised. Nothing can be changed in it."))


class OwnRecord:
    """A patient's account leads to the own record, restricted or not (core.audit.restricted.Way)."""

    def openings(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Opening]:
        own = PatientAccount.objects.filter(user_id=user_id, patient_id__in=list(patient_ids))
        return [Opening(patient_id) for patient_id in own.values_list("patient_id", flat=True)]

    def tags(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Tag]:
        return [Tag("patient_accounts", user_id)]


def restricted_ids() -> list[UUID]:
    """The clinic's restricted records. One query."""
    return list(Patient.objects.filter(is_restricted=True).values_list("pk", flat=True))
