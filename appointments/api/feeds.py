"""Visits as they are sent to a clinic's data sync: what the API says of one."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from appointments.api.serializers import AppointmentOutput
from appointments.models import Appointment
from core.api.columns import planned
from core.audit.subjects import Reading
from core.data_sync.feeds import Entry, Span
from core.tenancy.models import Clinic
from patients.api.feeds import why_gone


class Visits:
    """Also those whose patient has changed: a visit names its patient, and one of a restricted record is sent no more."""

    def ids(self, span: Span | None, after: UUID | None, most: int) -> list[UUID]:
        rows = Appointment.objects.order_by("pk")
        if span is not None:
            rows = rows.filter(Q(pk__in=span.about("appointment")) | Q(patient_id__in=span.about("patient")))
        if after is not None:
            rows = rows.filter(pk__gt=after)
        return list(rows.values_list("pk", flat=True)[:most])

    def entries(self, ids: Sequence[UUID], clinic: Clinic) -> list[Entry]:
        rows = list(planned(Appointment.objects.filter(pk__in=ids).order_by("pk"), AppointmentOutput, None, ("patient__status",)))
        open_ones = [row for row in rows if not why_gone(row.patient)]
        context = {"clinic": clinic, "reading": Reading.EXPORT}
        data = dict(zip((row.pk for row in open_ones), AppointmentOutput.shown(open_ones, context), strict=True))
        return [Entry(row.pk, data.get(row.pk), why_gone(row.patient)) for row in rows]


FEED = Visits()
