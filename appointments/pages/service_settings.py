"""Settings: what can be booked, how long it takes, what it costs, who offers it."""

from typing import Any
from uuid import UUID

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from appointments.forms import EditServiceForm, ServiceForm
from appointments.models import Service
from appointments.pages.answers import go
from appointments.selectors.settings import services_with_offers
from appointments.services import create_service, update_service
from core.editing import Edit, given
from core.errors import DomainError, PreconditionFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest

FIELDS = (
    "name", "description", "duration_minutes", "buffer_before_minutes", "buffer_after_minutes",
    "price_amount", "tone", "room_kind", "reminder_hours", "second_reminder_hours", "is_active",
)  # fmt: skip


@require_GET
@page("service")
def services(request: ClinicRequest) -> HttpResponse:
    context = {"services": services_with_offers(actor=request.actor), "currency": request.clinic.currency}
    return render(request, "appointments/service_list.html", context)


@require_http_methods(["GET", "POST"])
@page("service", "create")
def create(request: ClinicRequest) -> HttpResponse:
    form = ServiceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data, offered_by = _as_sent(form)
        try:
            return _saved(request, create_service(actor=request.actor, data=data, offered_by=offered_by))
        except DomainError as error:
            show_problems(form, error)
    return _show(request, form, None)


@require_http_methods(["GET", "POST"])
@page("service", "change")
def edit(request: ClinicRequest, service_id: UUID) -> HttpResponse:
    service: Service = Service.objects.found(pk=service_id)
    if request.method == "GET":
        form = given(EditServiceForm, about=_about(service), version=service.version, now=_initial(service))
        return _show(request, form, service)
    editing = _edit_of(request, service)
    if not editing.is_settled:
        return _show(request, editing.form, service, editing)
    if editing.form.is_valid():
        data, offered_by = _as_sent(editing.form)
        changes = {name: value for name, value in data.items() if name in editing.changes}
        offers = offered_by if "providers" in editing.changes else None
        try:
            saved = update_service(
                actor=request.actor, service_id=service.pk, changes=changes, offered_by=offers, expected_version=service.version
            )
            return _saved(request, saved)
        except PreconditionFailed:  # within these milliseconds
            service = Service.objects.found(pk=service_id)
            editing = _edit_of(request, service)
            return _show(request, editing.form, service, editing)
        except DomainError as error:
            show_problems(editing.form, error)
    return _show(request, editing.form, service)


def _edit_of(request: ClinicRequest, service: Service) -> Edit:
    return Edit(EditServiceForm, request.POST, about=_about(service), version=service.version, now=_initial(service))


def _about(service: Service) -> str:
    return f"service {service.pk}"


def _as_sent(form: Form) -> tuple[dict[str, Any], list[UUID]]:
    return {name: form.cleaned_data[name] for name in FIELDS}, form.cleaned_data["providers"]


def _saved(request: ClinicRequest, service: Service) -> HttpResponse:
    toast(request, _("%(name)s saved") % {"name": service.name})
    return go(request, reverse("appointments:services"))


def _show(request: ClinicRequest, form: Form, service: Service | None, editing: Edit | None = None) -> HttpResponse:
    context = {"form": form, "service": service, "currency": request.clinic.currency, "edit": editing}
    status = 412 if editing and editing.is_stale else 422 if editing or form.errors else 200
    return render(request, "appointments/service_edit.html", context, status=status)


def _initial(service: Service) -> dict[str, object]:
    offers = service.offers.values_list("provider_id", flat=True)
    return {name: getattr(service, name) for name in FIELDS} | {"providers": [str(one) for one in offers]}
