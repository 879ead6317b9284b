"""Everything about one patient in one file, for the patient or for who cares for them next: readable by people and by programs."""

import base64
import json
import logging
from collections.abc import Iterator
from datetime import date, datetime, time
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, ForeignKey, Model
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.audit.subjects import Reading, shown
from core.errors import Conflict, NotAllowed, invalid
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.uploads.store import content_of
from patients.choices import ExportReason
from patients.models import Document, Patient
from patients.policies import refuse_anonymised, require_copying, visible_patients
from patients.selectors.everything import rows_about

logger = logging.getLogger(__name__)

FORMAT = {"format": "hms-patient", "format_version": 1}
MOST_BYTES = 200 * 1024 * 1024  # of documents, through a page: the file is made in memory, and nothing of it on a disk in clear
TECHNICAL = {"clinic", "version", "stored"}  # not shown to people


def export_patient(*, actor: Actor, patient_id: UUID, reason: str, most_bytes: int | None = MOST_BYTES) -> tuple[str, bytes]:
    """A name and a ZIP: record.json (every row), record.html (the same for people), and the documents. Recorded.

    Raises NotAllowed, also for who works at some locations only; NotFound, ValidationFailed without a reason (an ExportReason),
    Conflict for documents of more than `most_bytes`. One query for each table that may hold something of a patient, two more, two
    to record it.
    """
    require_copying(actor)
    if actor.user_id is None:
        raise NotAllowed(_("A copy is taken in somebody's name."))
    patient: Patient = visible_patients(actor).record(pk=patient_id)
    if reason not in ExportReason.values:
        raise invalid("reason", "required", _("Say why it is exported."))
    refuse_anonymised(patient)
    rows = dict(rows_about(patient))
    documents: list[Document] = rows[Document]
    if most_bytes is not None and sum(one.size for one in documents) > most_bytes:
        raise Conflict(_("The documents are too large for a page. An operator can export this record by command."))
    recorded_export(user_id=actor.user_id, patient=patient, reason=reason)
    return f"{patient.mrn}.zip", _packed(patient, rows)


def recorded_export(*, user_id: UUID, patient: Patient, reason: str) -> None:
    """Who took a copy of whose record, when, and why. The one place at which an export is recorded: the access log has it too."""
    shown([patient.pk], Reading.EXPORT)
    logger.info("The patient %s was exported by %s (%s).", patient.pk, user_id, reason)
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(Patient),
        object_id=str(patient.pk),
        object_repr=str(patient),
        action_flag=CHANGE,
        change_message=f"Exported: {reason}",
    )


def _packed(patient: Patient, rows: dict[type[Model], list[Any]]) -> bytes:
    clinic = Clinic.objects.get(pk=current_clinic_id())
    head = {**FORMAT, "made_at": timezone.now(), "clinic": clinic.name, "mrn": patient.mrn}
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        records = {model._meta.label: [_plain(row) for row in found] for model, found in rows.items()}
        archive.writestr("record.json", json.dumps(head | {"records": records}, cls=_Encoder, ensure_ascii=False, indent=1))
        with timezone.override(clinic.zone):
            sections = [_section(model, found) for model, found in rows.items() if found]
            page = head | {"name": patient.full_name, "sections": sections}
            archive.writestr("record.html", render_to_string("patients/record_file.html", page))
        for document in rows[Document]:
            archive.writestr(file_of(document), content_of(document.stored))
    return packed.getvalue()


def file_of(document: Document) -> str:
    """Its name in the archive: two documents may have the same file name."""
    return f"documents/{document.pk}-{document.file_name}"


def _plain(row: Any) -> dict[str, Any]:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.local_concrete_fields}
    if isinstance(row, Document):
        values["file"] = file_of(row)
    return values


def _section(model: type[Model], rows: list[Any]) -> dict[str, Any]:
    title = model._meta.verbose_name if model is Patient else model._meta.verbose_name_plural
    return {"title": capfirst(str(title)), "rows": [list(_shown(row)) for row in rows]}


def _shown(row: Any) -> Iterator[tuple[str, str]]:
    """What is filled in, in people's words."""
    for field in row._meta.local_concrete_fields:
        if field.name not in TECHNICAL and not field.name.endswith("_norm") and (words := _words(row, field)):
            yield capfirst(str(field.verbose_name)), words
    if isinstance(row, Document):
        yield _("File"), file_of(row)


def _words(row: Any, field: "Field[Any, Any]") -> str:
    value = getattr(row, field.attname)
    if value in (None, "", []):
        return ""
    if isinstance(field, ForeignKey):
        return str(getattr(row, field.name)) if field.is_cached(row) else str(value)
    if field.choices:
        return str(getattr(row, f"get_{field.name}_display")())
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M %Z}"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        named = dict(getattr(getattr(field, "base_field", None), "choices", None) or ())
        return ", ".join(str(named.get(one, one)) for one in value)
    return str(value)


class _Encoder(DjangoJSONEncoder):
    """Times as they stand, and what JSON has no word for as text."""

    def default(self, value: Any) -> Any:
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, (bytes, memoryview)):
            return base64.b64encode(value).decode()
        try:
            return super().default(value)
        except TypeError:
            return str(value)
