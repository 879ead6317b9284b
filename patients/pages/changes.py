"""What changed in a patient's record, field by field."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from core.audit.subjects import shown
from core.history.selectors import changes_of
from core.pages.access import page
from core.pages.reading import read_number
from core.requests import ClinicRequest
from patients.pages.rows import age_of
from patients.policies import visible_patients
from patients.selectors import record_rows


@require_GET
@page("history")
def changes(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """The newest first, page by page; `before` is the number of the last entry that was seen."""
    patient = visible_patients(request.actor).record(pk=patient_id)
    shown([patient.pk])
    found = changes_of(
        actor=request.actor,
        row_ids=record_rows(actor=request.actor, patient_id=patient.pk),
        zone=request.clinic.zone,
        before=read_number(request.GET.get("before")),
    )
    context = {"patient": patient, "age": age_of(patient, timezone.localdate()), "page": found}
    return render(request, "patients/changes.html", context)
