"""Registering a patient: one screen, duplicates beside it, nothing typed is lost."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.drafts.services import draft_of, drop_draft
from core.errors import ValidationFailed
from core.forms import from_draft, show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther
from core.security.limiting.forms import count_search, search_page
from patients.errors import DuplicatePatient
from patients.forms import PatientForm, detail_to_field, duplicate_search, guessed_from
from patients.pages.rows import rows_of_duplicates
from patients.selectors import duplicates_of
from patients.services import register_patient
from patients.validators import ClinicRules

DRAFT = "patient-register"
BOOK = "book"  # what comes after registering, when “Register and book” was pressed


@require_http_methods(["GET", "POST"])
@page("patient", "create")
def register(request: ClinicRequest) -> HttpResponse:
    if request.method == "GET":
        draft = draft_of(actor=request.actor, form=DRAFT)
        form = PatientForm()
        form.fields["given_name"].widget.attrs["autofocus"] = True
        form.initial = {"country": request.clinic.country} | (from_draft(form.fields.items(), draft) if draft else {})
        return _page(request, form, draft=draft)
    count_search(request)
    form = PatientForm(request.POST)
    form.is_valid()
    data = form.typed() | {"consents": {kind: True for kind, ticked in form.ticked().items() if ticked}}
    try:
        patient = register_patient(actor=request.actor, data=data, accept_duplicate="accept_duplicate" in request.POST)
    except ValidationFailed as error:
        show_problems(form, error, rename=detail_to_field)
        return _page(request, form, status=422)
    except DuplicatePatient as error:
        return _page(
            request, form, status=409, duplicates=rows_of_duplicates(error.duplicates), refused=error, then=request.POST.get("then")
        )
    drop_draft(actor=request.actor, form=DRAFT)
    toast(request, _("Registered as %(mrn)s") % {"mrn": patient.mrn})
    if BOOK in (request.POST.get("then"), request.POST.get("accept_duplicate")):
        return HttpResponseSeeOther(f"{reverse('appointments:book')}?patient={patient.pk}")
    return HttpResponseSeeOther(reverse("patients:detail", args=[patient.pk]))


@require_POST
@page("patient", "create")
def begin(request: ClinicRequest) -> HttpResponse:
    """Open the form with what was looked for in vain. By POST: a name must not stand in an address."""
    form = PatientForm(initial={"country": request.clinic.country} | guessed_from(request.POST.get("text", "")[:200]))
    return _page(request, form)


@search_page
@require_POST
@page("patient", "create")
def duplicates(request: ClinicRequest) -> HttpResponse:
    """Who may be registered already, asked while the form is being filled."""
    rules = ClinicRules(country=request.clinic.country, today=timezone.localdate())
    typed = duplicate_search(request.POST.dict(), rules)
    found = duplicates_of(actor=request.actor, **typed) if any(typed.values()) else []
    return render(request, "patients/_duplicates.html", {"duplicates": rows_of_duplicates(found)})


def _page(request: ClinicRequest, form: PatientForm, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"form": form, "draft_form": DRAFT}
    return render(request, "patients/register.html", context, status=status)
