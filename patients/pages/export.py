"""A copy of one record, for those who may take one: asked why, recorded, sent as a file."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from core.audit.subjects import shown
from core.errors import Conflict, ValidationFailed
from core.forms import show_problems
from core.pages.access import page
from core.requests import ClinicRequest
from core.security.limiting.classes import RouteClass, route_class
from core.uploads.serving import attachment
from patients.forms import ExportForm
from patients.models import Patient
from patients.pages.rows import age_of
from patients.policies import require_copying, visible_patients
from patients.services import export_patient


@route_class(RouteClass.HEAVY)
@require_http_methods(["GET", "POST"])
@page("patient", "export")
def take_copy(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    require_copying(request.actor)
    patient: Patient = visible_patients(request.actor).record(pk=patient_id)
    shown([patient.pk])
    form = ExportForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        form.is_valid()
        try:
            name, packed = export_patient(actor=request.actor, patient_id=patient.pk, reason=form.cleaned_data.get("reason", ""))
            return attachment(packed, content_type="application/zip", name=name)
        except ValidationFailed as error:
            show_problems(form, error)
            status = 422
        except Conflict as error:
            form.add_error(None, str(error.message))
            status = 409
    context = {"patient": patient, "age": age_of(patient, timezone.localdate()), "form": form}
    return render(request, "patients/export.html", context, status=status)
