"""Restricted records: the page in their place, opening one in an emergency, ending that, and setting or lifting a restriction."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.audit.subjects import shown
from core.errors import Conflict, ValidationFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go
from patients.errors import RecordRestricted
from patients.forms import BreakGlassForm, RestrictionForm
from patients.models import Patient
from patients.policies import visible_patients
from patients.services import break_glass, end_access, restrict_record


def restricted_page(
    request: ClinicRequest, error: RecordRestricted, form: BreakGlassForm | None = None, status: int = 403
) -> HttpResponse:
    """In the place of whatever was asked of a restricted record: that it is restricted, and how to open it. One query.

    Of the patient only the MRN, so that one knows which record it is.
    """
    known = visible_patients(request.actor).only("id", "clinic_id", "mrn", "status", "is_restricted")
    patient: Patient = known.found(pk=error.patient_id)
    context = {"patient": patient, "form": form or BreakGlassForm(), "minutes": request.clinic.break_glass_minutes}
    return render(request, "patients/restricted.html", context, status=status)


@require_http_methods(["GET", "POST"])
@page("break_glass", "create")
def open_in_emergency(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """The form by itself, and what it sends."""
    record = reverse("patients:detail", args=[patient_id])
    form = BreakGlassForm(request.POST if request.method == "POST" else None)
    refused = RecordRestricted.of(patient_id)
    if request.method == "GET":
        patient: Patient = visible_patients(request.actor).only("id", "clinic_id", "is_restricted").found(pk=patient_id)
        return restricted_page(request, refused, status=200) if patient.is_withheld else go(request, record)
    form.is_valid()
    try:
        access = break_glass(actor=request.actor, patient_id=patient_id, **form.cleaned_data)
    except ValidationFailed as error:
        show_problems(form, error)
        return restricted_page(request, refused, form, status=422)
    except Conflict:  # nothing to open
        return go(request, record)
    until = timezone.localtime(access.expires_at)
    toast(request, _("The record is open to you until %(time)s") % {"time": f"{until:%H:%M}"})
    return go(request, record)


@require_POST
@page("break_glass", "create")
def end_now(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    end_access(actor=request.actor, patient_id=patient_id)
    toast(request, _("Your emergency access has ended"))
    return go(request, reverse("patients:list") if request.actor.can("patient", "search") else "/")


@require_http_methods(["GET", "POST"])
@page("patient", "restrict")
def restriction(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """Restrict the record, or lift that; also for those to whom it isn't open."""
    patient: Patient = visible_patients(request.actor).for_list().found(pk=patient_id)
    form = RestrictionForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        form.is_valid()
        wanted = not patient.is_restricted
        try:
            restrict_record(actor=request.actor, patient_id=patient_id, restricted=wanted, reason=form.cleaned_data["reason"])
        except ValidationFailed as error:
            show_problems(form, error)
            status = 422
        except Conflict as error:
            form.add_error(None, str(error.message))
            status = 409
        else:
            words = _("%(mrn)s is restricted") if wanted else _("%(mrn)s is no longer restricted")
            toast(request, words % {"mrn": patient.mrn})
            return go(request, reverse("patients:restriction" if wanted else "patients:detail", args=[patient_id]))
    shown([patient.pk])
    context: dict[str, Any] = {"patient": patient, "form": form}
    return render(request, "patients/restriction.html", context, status=status)
