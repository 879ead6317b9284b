"""The clinic's protected fields: ticked here, encrypted from then on."""

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from clinics.forms import ProtectionForm, form_name
from clinics.services import protect_fields
from core.editing import Edit, given
from core.errors import DomainError
from core.forms import show_problems
from core.pages.access import page, proved
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go
from core.tenancy.models import Clinic


@require_http_methods(["GET", "POST"])
@page("clinic", "change")
@proved
def protection(request: ClinicRequest) -> HttpResponse:
    """A tick a field. Up to two queries more than any page."""
    rows = Clinic.objects.select_for_update() if request.method == "POST" else Clinic.objects.all()
    clinic = rows.get(pk=request.clinic.pk)
    about, now = f"protection {clinic.pk}", {"protected_fields": clinic.protected_fields}
    if request.method == "GET":
        return _show(request, given(ProtectionForm, about=about, version=0, now=now))
    editing = Edit(ProtectionForm, request.POST, about=about, version=0, now=now)
    if not editing.is_settled:
        return _show(request, editing.form, editing)
    form = editing.form
    form.is_valid()
    try:
        protect_fields(actor=request.actor, fields=form.cleaned_data["protected_fields"])
    except DomainError as error:
        show_problems(form, error, form_name)
        return _show(request, form)
    toast(request, _("Protected fields saved"))
    return go(request, reverse("clinics:settings"))


def _show(request: ClinicRequest, form: Form, editing: Edit | None = None) -> HttpResponse:
    status = 412 if editing and editing.is_stale else 422 if editing or form.errors else 200
    return render(request, "clinics/protection.html", {"form": form, "edit": editing}, status=status)
