"""The visits of one patient: a part of the patient's page, and a page of its own."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from appointments.pages.answers import is_fragment
from appointments.selectors import appointments_of
from core.audit.subjects import shown
from core.pages.access import page
from core.requests import ClinicRequest
from patients.policies import visible_patients


@require_GET
@page("appointment", patients_too=True)
def of_patient(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """Coming and past visits. Two queries."""
    patient = visible_patients(request.actor).record(pk=patient_id)
    shown([patient.pk])
    visits = appointments_of(actor=request.actor, patient_id=patient.pk)
    name = "appointments/_patient_visits.html" if is_fragment(request) else "appointments/patient_visits.html"
    return render(request, name, {"patient": patient, "visits": visits})
