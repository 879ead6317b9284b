"""Making a record nobody's: what goes and what stays is said, the MRN has to be typed, and there is no way back."""

from datetime import date
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from clinics.selectors import retention_years
from core.audit.subjects import shown
from core.errors import Conflict, PreconditionFailed, ValidationFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther
from patients.forms import AnonymiseForm
from patients.models import Patient
from patients.pages.rows import age_of
from patients.policies import refuse_anonymised, visible_patients
from patients.selectors.contacts import contacts_of
from patients.selectors.retention import kept_until
from patients.services import anonymise_patient


@require_http_methods(["GET", "POST"])
@page("patient", "anonymise")
def anonymise(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    patient: Patient = visible_patients(request.actor).record(pk=patient_id)
    shown([patient.pk])
    refuse_anonymised(patient)
    form = AnonymiseForm(request.POST if request.method == "POST" else None, initial={"version": patient.version})
    status = 200
    if request.method == "POST":
        form.is_valid()
        try:
            anonymise_patient(actor=request.actor, patient_id=patient.pk, **form.given())
            toast(request, _("The record is anonymised."))
            return HttpResponseSeeOther(reverse("patients:detail", args=[patient.pk]))
        except ValidationFailed as error:
            show_problems(form, error)
            status = 422
        except (Conflict, PreconditionFailed) as error:
            form.add_error(None, str(error.message))
            status = error.status
    return render(request, "patients/anonymise.html", _context(patient) | {"form": form}, status=status)


def _context(patient: Patient) -> dict[str, object]:
    """Who it is, and what the rules say of it. Five queries."""
    (contact,) = contacts_of([patient]).values()
    today: date = timezone.localdate()
    until = kept_until(contact, retention_years())
    is_over = until is not None and until < today
    return {"patient": patient, "age": age_of(patient, today), "ahead": contact.ahead, "until": until, "is_over": is_over}
