"""Settings: the weekly hours of each provider, the days that differ, and the clinic's holidays."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments.forms import BlockForm, BlockFormSet, ExceptionForm, HolidayForm, active_locations, active_rooms
from appointments.models import Holiday
from appointments.pages.answers import go
from appointments.selectors.settings import exceptions_of, providers_with_hours, weekly_hours_of
from appointments.services import create_exception, create_holiday, delete_exception, delete_holiday, replace_week
from clinics.models import Provider
from core.errors import DomainError, ValidationFailed
from core.forms import problem_of, show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest

BLOCK_FIELDS = ("weekday", "start_time", "end_time", "slot_minutes", "valid_from", "valid_until")


@require_GET
@page("schedule")
def schedules(request: ClinicRequest) -> HttpResponse:
    return render(request, "appointments/schedule_list.html", {"providers": providers_with_hours(actor=request.actor)})


@require_GET
@page("schedule")
def schedule(request: ClinicRequest, provider_id: UUID) -> HttpResponse:
    """One provider's week, and the days that differ."""
    return _show_schedule(request, Provider.objects.found(pk=provider_id))


@require_http_methods(["GET", "POST"])
@page("schedule", "change")
def week(request: ClinicRequest, provider_id: UUID) -> HttpResponse:
    """Replace a provider's week by the rows sent. GET, as after a refused form, leads back to the form."""
    provider = Provider.objects.found(pk=provider_id)
    if request.method == "GET":
        return go(request, reverse("appointments:schedule", args=[provider.pk]))
    blocks = _block_forms(provider, request.POST)
    if blocks.is_valid():
        kept = [form for form in blocks if form.counts() and not form.cleaned_data.get("DELETE")]
        try:
            replace_week(actor=request.actor, provider_id=provider.pk, blocks=[form.as_block() for form in kept])
        except ValidationFailed as error:
            _at_rows(kept, error)
            return _show_schedule(request, provider, blocks=blocks, refused=True)
        toast(request, _("Hours of %(name)s saved") % {"name": provider.name})
        return go(request, reverse("appointments:schedule", args=[provider.pk]))
    return _show_schedule(request, provider, blocks=blocks)


@require_http_methods(["GET", "POST"])
@page("schedule", "create")
def exception_add(request: ClinicRequest, provider_id: UUID) -> HttpResponse:
    provider = Provider.objects.found(pk=provider_id)
    if request.method == "GET":
        return go(request, reverse("appointments:schedule", args=[provider.pk]))
    form = ExceptionForm(request.POST, locations=active_locations())
    if form.is_valid():
        try:
            create_exception(actor=request.actor, data=form.as_exception() | {"provider": provider.pk})
        except DomainError as error:
            show_problems(form, error)
        else:
            toast(request, _("Saved"))
            return go(request, reverse("appointments:schedule", args=[provider.pk]))
    return _show_schedule(request, provider, exception_form=form)


@require_POST
@page("schedule", "delete")
def exception_remove(request: ClinicRequest, provider_id: UUID, exception_id: UUID) -> HttpResponse:
    delete_exception(actor=request.actor, exception_id=exception_id)
    toast(request, _("Removed"))
    return go(request, reverse("appointments:schedule", args=[provider_id]))


@require_GET
@page("schedule")
def holidays(request: ClinicRequest) -> HttpResponse:
    """The days on which the clinic is closed."""
    return _show_holidays(request, HolidayForm(locations=active_locations()))


@require_http_methods(["GET", "POST"])
@page("schedule", "create")
def holiday_add(request: ClinicRequest) -> HttpResponse:
    if request.method == "GET":
        return go(request, reverse("appointments:holidays"))
    form = HolidayForm(request.POST, locations=active_locations())
    if form.is_valid():
        try:
            create_holiday(actor=request.actor, data=form.cleaned_data)
        except DomainError as error:
            show_problems(form, error)
        else:
            toast(request, _("%(name)s added") % {"name": form.cleaned_data["name"]})
            return go(request, reverse("appointments:holidays"))
    return _show_holidays(request, form)


@require_POST
@page("schedule", "delete")
def holiday_remove(request: ClinicRequest, holiday_id: UUID) -> HttpResponse:
    delete_holiday(actor=request.actor, holiday_id=holiday_id)
    toast(request, _("Removed"))
    return go(request, reverse("appointments:holidays"))


def _show_holidays(request: ClinicRequest, form: HolidayForm) -> HttpResponse:
    context = {"form": form, "holidays": list(Holiday.objects.select_related("location").order_by("-day"))}
    return render(request, "appointments/holidays.html", context, status=422 if form.errors else 200)


def _block_forms(provider: Provider, data: Any = None) -> Any:
    initial = [
        {name: getattr(row, name) for name in BLOCK_FIELDS}
        | {"location": str(row.location_id), "room": str(row.room_id) if row.room_id else ""}
        for row in weekly_hours_of(provider_id=provider.pk)
    ]
    kwargs = {"locations": active_locations(), "rooms": active_rooms()}
    return BlockFormSet(data, initial=initial, prefix="blocks", form_kwargs=kwargs)


def _at_rows(forms: list[BlockForm], error: ValidationFailed) -> None:
    """`blocks.0.start_time` of the service belongs to the first of the rows that were sent to it."""
    for detail in error.details:
        _blocks, number, name = detail.field.split(".", 2)
        form = forms[int(number)]
        form.add_error(name if name in form.fields else None, problem_of(detail))


def _show_schedule(
    request: ClinicRequest, provider: Provider, *, blocks: Any = None, exception_form: ExceptionForm | None = None,
    refused: bool = False,
) -> HttpResponse:  # fmt: skip
    wrong = refused or (blocks is not None and not blocks.is_valid()) or bool(exception_form and exception_form.errors)
    context = {
        "provider": provider,
        "blocks": blocks or _block_forms(provider),
        "exceptions": exceptions_of(provider_id=provider.pk),
        "exception_form": exception_form or ExceptionForm(locations=active_locations()),
        "may_change": request.actor.can("schedule", "change"),
        "may_remove": request.actor.can("schedule", "delete"),
    }
    return render(request, "appointments/schedule_edit.html", context, status=422 if wrong else 200)
