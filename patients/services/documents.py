"""Files about a patient: added, and declared to be in error. Nothing is deleted, and no content is ever changed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import Conflict, PreconditionFailed, ValidationFailed
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.uploads.inspection import CheckedFile, checked, refusal
from core.uploads.store import keep
from core.validators import Problems
from patients.choices import DocumentStatus, PatientStatus
from patients.models import Document, Patient
from patients.policies import refuse_anonymised, visible_documents, visible_patients
from patients.validators import TITLE_LENGTH, ClinicRules, clean_document, clean_reason


def add_document(
    *, actor: Actor, patient_id: UUID, data: Mapping[str, Any], content: bytes | None, file_name: str = ""
) -> Document:
    """Keep a file with `data` (title, category, date); without a title it is called like the file. Three statements.

    What is kept is checked and, of a picture, made anew. Raises NotFound, Conflict for a merged record, PayloadTooLarge, and
    ValidationFailed naming every wrong field and `file`.
    """
    actor.require("document", "create")
    patient: Patient = visible_patients(actor).record(pk=patient_id)
    if patient.status == PatientStatus.MERGED:
        raise Conflict(_("This record was merged into another. Add it there."))
    refuse_anonymised(patient)
    clinic = Clinic.objects.get(pk=current_clinic_id())
    problems = Problems()
    rules = ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone))
    cleaned = clean_document(data, rules, problems)
    file = _checked(content, file_name, problems)
    problems.raise_if_any()
    assert file is not None  # noqa: S101  (a refused one is among the problems)
    cleaned["title"] = cleaned.get("title") or file.name.rpartition(".")[0][:TITLE_LENGTH]
    return Document.objects.create(
        patient=patient,
        stored=keep(file.content),
        content_type=file.content_type,
        file_name=file.name,
        size=len(file.content),
        sha256=file.sha256,
        added_by_id=actor.user_id,
        **cleaned,
    )


def enter_document_in_error(
    *, actor: Actor, patient_id: UUID, document_id: UUID, reason: str, expected_version: int | None = None
) -> Document:
    """Take the document out of the record, and say why; row and content stay. Two statements.

    Raises NotFound, PreconditionFailed when it is not at `expected_version`, Conflict when it is in error already,
    ValidationFailed without a reason.
    """
    actor.require("document", "enter_in_error")
    document = visible_documents(actor).select_for_update().found(pk=document_id, patient_id=patient_id)
    if expected_version is not None and document.version != expected_version:
        raise PreconditionFailed.at(document.version, _("Somebody changed this document meanwhile. Read it again."))
    if document.status == DocumentStatus.ENTERED_IN_ERROR:
        raise Conflict(_("This document is marked as entered in error already."))
    problems = Problems()
    cleaned = problems.check("reason", clean_reason, reason)
    problems.raise_if_any()
    document.status, document.status_reason = DocumentStatus.ENTERED_IN_ERROR, cleaned
    document.save(update_fields=["status", "status_reason"])
    return document


def _checked(content: bytes | None, file_name: str, problems: Problems) -> CheckedFile | None:
    try:
        if content is None:
            raise refusal("required")
        return checked(content, name=file_name)
    except ValidationFailed as error:
        problems.details += error.details
        return None
