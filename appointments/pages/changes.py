"""What changed in a visit, field by field."""

from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from appointments.policies import visible_appointments
from core.audit.subjects import shown
from core.history.selectors import changes_of
from core.pages.access import page
from core.pages.reading import read_number
from core.requests import ClinicRequest
from patients.errors import RecordRestricted


@require_GET
@page("history")
def changes(request: ClinicRequest, visit_id: UUID) -> HttpResponse:
    """The newest first, page by page, in the visit's own time zone."""
    visit = visible_appointments(request.actor).for_list().found(pk=visit_id)
    if visit.patient.is_withheld:
        raise RecordRestricted.of(visit.patient_id)
    shown([visit.patient_id])
    before = read_number(request.GET.get("before"))
    found = changes_of(actor=request.actor, row_ids=[visit.pk], zone=ZoneInfo(visit.time_zone), before=before)
    return render(request, "appointments/changes.html", {"visit": visit, "zone": visit.time_zone, "page": found})
