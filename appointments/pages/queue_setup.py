"""Settings: where patients wait by tickets, the ticket groups, and the addresses of boards and kiosks."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments.choices import ScreenKind
from appointments.forms import EditSeriesForm, PlaceForm, ScreenForm, SeriesForm, active_locations
from appointments.models import LocationQueue, QueueScreen, QueueSeries
from appointments.pages.answers import go
from appointments.selectors.queue_places import queue_setup
from appointments.selectors.queue_waits import DAYS, estimate_score
from appointments.services.queue_setup import end_screen, make_screen, save_series, set_up_place
from appointments.tokens import screen_token
from clinics.models import Location
from core.editing import Edit, given
from core.errors import DomainError, PreconditionFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest

ADDRESSES = {ScreenKind.BOARD: "appointments:board", ScreenKind.KIOSK: "appointments:kiosk"}
NOT_SET_UP = {"is_active": False, "has_chime": True, "has_voice": False}  # what a location without a queue starts from


@require_GET
@page("queue_setup")
def setup(request: ClinicRequest) -> HttpResponse:
    """Everything on one page. Six queries."""
    queues, series, screens = queue_setup(actor=request.actor)
    by_location = {one.location_id: one for one in queues}
    places = [{"location": one, "queue": by_location.get(one.pk)} for one in Location.objects.filter(is_active=True)]
    addresses = [{"screen": one, "address": address_of(one), "dialog": f"end-{one.pk}"} for one in screens]
    return render(request, "appointments/queue_setup.html", {"places": places, "series": series, "screens": addresses})


def address_of(screen: QueueScreen) -> str:
    """What is typed into the browser of the screen."""
    kind = ScreenKind(screen.kind)
    return str(settings.HMS_BASE_URL) + reverse(ADDRESSES[kind], args=[screen_token(kind, screen.clinic_id, screen.pk)])


@require_http_methods(["GET", "POST"])
@page("queue_setup", "change")
def place(request: ClinicRequest, location_id: UUID) -> HttpResponse:
    """One location's queue, with how right its estimates were in the last four weeks."""
    location: Location = Location.objects.found(pk=location_id)
    if request.method == "GET":
        version, now = _place_now(location)
        form = given(PlaceForm, about=_about_place(location), version=version, now=now)
        return _show_place(request, form, location)
    editing = _place_edit(request, location)
    if not editing.is_settled:
        return _show_place(request, editing.form, location, editing)
    editing.form.is_valid()
    said = {name: editing.form.cleaned_data[name] for name in NOT_SET_UP}
    try:
        set_up_place(actor=request.actor, location_id=location_id, expected_version=editing.version, **said)
    except PreconditionFailed:  # within these milliseconds
        editing = _place_edit(request, location)
        return _show_place(request, editing.form, location, editing)
    toast(request, _("%(name)s saved") % {"name": location.name})
    return go(request, reverse("appointments:queue-setup"))


def _place_now(location: Location) -> tuple[int, dict[str, bool]]:
    """The version (0: there is none yet) and what is said of the location. One query."""
    queue: LocationQueue | None = LocationQueue.objects.filter(location=location).first()
    return (queue.version, {name: getattr(queue, name) for name in NOT_SET_UP}) if queue else (0, NOT_SET_UP)


def _place_edit(request: ClinicRequest, location: Location) -> Edit:
    version, now = _place_now(location)
    return Edit(PlaceForm, request.POST, about=_about_place(location), version=version, now=now)


def _about_place(location: Location) -> str:
    return f"queue of {location.pk}"


def _show_place(request: ClinicRequest, form: Form, location: Location, editing: Edit | None = None) -> HttpResponse:
    today = timezone.localdate()
    score = estimate_score(actor=request.actor, location_id=location.pk, first_day=today - timedelta(days=DAYS), last_day=today)
    context = {"form": form, "location": location, "score": score, "edit": editing}
    return render(request, "appointments/queue_place.html", context, status=_status(form, editing))


@require_http_methods(["GET", "POST"])
@page("queue_setup", "create")
def series_create(request: ClinicRequest) -> HttpResponse:
    form = SeriesForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return _saved(request, save_series(actor=request.actor, series_id=None, **form.as_series()))
        except DomainError as error:
            show_problems(form, error)
    return _show_series(request, form, None)


@require_http_methods(["GET", "POST"])
@page("queue_setup", "change")
def series_edit(request: ClinicRequest, series_id: UUID) -> HttpResponse:
    series: QueueSeries = QueueSeries.objects.found(pk=series_id)
    if request.method == "GET":
        form = given(EditSeriesForm, about=_about(series), version=series.version, now=_known(series))
        return _show_series(request, form, series)
    editing = _series_edit(request, series)
    form = cast(EditSeriesForm, editing.form)
    if not editing.is_settled:
        return _show_series(request, form, series, editing)
    if form.is_valid():
        try:
            said = form.as_series()
            return _saved(request, save_series(actor=request.actor, series_id=series.pk, expected_version=series.version, **said))
        except PreconditionFailed:  # within these milliseconds
            series = QueueSeries.objects.found(pk=series_id)
            editing = _series_edit(request, series)
            return _show_series(request, editing.form, series, editing)
        except DomainError as error:
            show_problems(form, error)
    return _show_series(request, form, series)


def _series_edit(request: ClinicRequest, series: QueueSeries) -> Edit:
    return Edit(EditSeriesForm, request.POST, about=_about(series), version=series.version, now=_known(series))


def _about(series: QueueSeries) -> str:
    return f"ticket group {series.pk}"


def _saved(request: ClinicRequest, series: QueueSeries) -> HttpResponse:
    toast(request, _("%(name)s saved") % {"name": series.name})
    return go(request, reverse("appointments:queue-setup"))


def _show_series(request: ClinicRequest, form: Form, series: QueueSeries | None, editing: Edit | None = None) -> HttpResponse:
    context = {"form": form, "series": series, "edit": editing}
    return render(request, "appointments/queue_series.html", context, status=_status(form, editing))


def _status(form: Form, editing: Edit | None) -> int:
    return 412 if editing and editing.is_stale else 422 if editing or form.errors else 200


def _known(series: QueueSeries) -> dict[str, Any]:
    known = {name: getattr(series, name) for name in ("letter", "name", "takes_walk_ins", "is_active")}
    return {**known, "services": [str(one) for one in series.members.values_list("service_id", flat=True)]}


@require_http_methods(["GET", "POST"])
@page("queue_setup", "create")
def screen_make(request: ClinicRequest) -> HttpResponse:
    form = ScreenForm(request.POST if request.method == "POST" else None, locations=active_locations())
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            screen = make_screen(actor=request.actor, kind=said["kind"], location_id=UUID(said["location"]), name=said["name"])
        except DomainError as error:
            show_problems(form, error)
        else:
            toast(request, _("%(name)s: the address is below") % {"name": screen.name})
            return go(request, reverse("appointments:queue-setup"))
    return render(request, "appointments/queue_screen.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@page("queue_setup", "change")
def screen_end(request: ClinicRequest, screen_id: UUID) -> HttpResponse:
    screen = end_screen(actor=request.actor, screen_id=screen_id)
    toast(request, _("%(name)s: the address is no longer valid") % {"name": screen.name})
    return go(request, reverse("appointments:queue-setup"))
