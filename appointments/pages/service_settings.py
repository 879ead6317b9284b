"""Settings: what can be booked, how long it takes, what it costs, who offers it."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from appointments.forms import ServiceForm
from appointments.models import Service
from appointments.pages.answers import go
from appointments.selectors.settings import services_with_offers
from appointments.services import create_service, update_service
from core.errors import DomainError
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest

FIELDS = (
    "name", "description", "duration_minutes", "buffer_before_minutes", "buffer_after_minutes",
    "price_amount", "tone", "room_kind", "is_active",
)  # fmt: skip


@require_GET
@page("service")
def services(request: ClinicRequest) -> HttpResponse:
    context = {"services": services_with_offers(actor=request.actor), "currency": request.clinic.currency}
    return render(request, "appointments/service_list.html", context)


@require_http_methods(["GET", "POST"])
@page("service", "create")
def create(request: ClinicRequest) -> HttpResponse:
    return _edit(request, None)


@require_http_methods(["GET", "POST"])
@page("service", "change")
def edit(request: ClinicRequest, service_id: UUID) -> HttpResponse:
    return _edit(request, Service.objects.found(pk=service_id))


def _edit(request: ClinicRequest, service: Service | None) -> HttpResponse:
    form = ServiceForm(request.POST if request.method == "POST" else None, initial=_initial(service))
    if request.method == "POST" and form.is_valid():
        data = {name: form.cleaned_data[name] for name in FIELDS}
        offered_by = form.cleaned_data["providers"]
        try:
            if service is None:
                saved = create_service(actor=request.actor, data=data, offered_by=offered_by)
            else:
                saved = update_service(actor=request.actor, service_id=service.pk, changes=data, offered_by=offered_by)
        except DomainError as error:
            show_problems(form, error)
        else:
            toast(request, _("%(name)s saved") % {"name": saved.name})
            return go(request, reverse("appointments:services"))
    context = {"form": form, "service": service, "currency": request.clinic.currency}
    return render(request, "appointments/service_edit.html", context, status=422 if form.errors else 200)


def _initial(service: Service | None) -> dict[str, object]:
    if service is None:
        return {}
    offers = service.offers.values_list("provider_id", flat=True)
    return {name: getattr(service, name) for name in FIELDS} | {"providers": [str(one) for one in offers]}
