"""Patients as they are sent to a clinic's data sync: what the API says of one."""

from collections.abc import Sequence
from uuid import UUID

from core.api.columns import planned
from core.audit.subjects import Reading
from core.data_sync.feeds import Entry, Span
from core.tenancy.models import Clinic
from patients.api.serializers import PatientOutput
from patients.choices import CLOSED
from patients.models import Patient


class Patients:
    """Of a record that is restricted, merged or anonymised the receiver learns that it is gone, and nothing else."""

    def ids(self, span: Span | None, after: UUID | None, most: int) -> list[UUID]:
        rows = Patient.objects.order_by("pk")
        if span is not None:
            rows = rows.filter(pk__in=span.about("patient"))
        if after is not None:
            rows = rows.filter(pk__gt=after)
        return list(rows.values_list("pk", flat=True)[:most])

    def entries(self, ids: Sequence[UUID], clinic: Clinic) -> list[Entry]:
        rows = list(planned(Patient.objects.filter(pk__in=ids).order_by("pk"), PatientOutput, None))
        open_ones = [row for row in rows if not why_gone(row)]
        context = {"clinic": clinic, "reading": Reading.EXPORT}
        data = dict(zip((row.pk for row in open_ones), PatientOutput.shown(open_ones, context), strict=True))
        return [Entry(row.pk, data.get(row.pk), why_gone(row)) for row in rows]


def why_gone(patient: Patient) -> str:
    """Why a record isn't sent: restricted, merged, anonymised; empty for one that is. No query where it was read for the API."""
    return "restricted" if patient.is_restricted else patient.status if patient.status in CLOSED else ""


FEED = Patients()
