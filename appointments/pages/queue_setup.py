"""Settings: where patients wait by tickets, the ticket groups, and the addresses of boards and kiosks."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments.choices import ScreenKind
from appointments.forms import PlaceForm, ScreenForm, SeriesForm, active_locations
from appointments.models import LocationQueue, QueueScreen, QueueSeries, Service
from appointments.pages.answers import go
from appointments.selectors.queue_places import queue_setup
from appointments.selectors.queue_waits import DAYS, estimate_score
from appointments.services.queue_setup import end_screen, make_screen, save_series, set_up_place
from appointments.tokens import screen_token
from clinics.models import Location
from core.errors import DomainError
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest

ADDRESSES = {ScreenKind.BOARD: "appointments:board", ScreenKind.KIOSK: "appointments:kiosk"}


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
    if request.method == "POST":
        form = PlaceForm(request.POST)
        form.is_valid()
        set_up_place(actor=request.actor, location_id=location_id, **form.cleaned_data)
        toast(request, _("%(name)s saved") % {"name": location.name})
        return go(request, reverse("appointments:queue-setup"))
    queue: LocationQueue | None = LocationQueue.objects.filter(location=location).first()
    known = {name: getattr(queue, name) for name in ("is_active", "has_chime", "has_voice")} if queue else {"has_chime": True}
    today = timezone.localdate()
    score = estimate_score(actor=request.actor, location_id=location_id, first_day=today - timedelta(days=DAYS), last_day=today)
    context = {"form": PlaceForm(initial=known), "location": location, "score": score}
    return render(request, "appointments/queue_place.html", context)


@require_http_methods(["GET", "POST"])
@page("queue_setup", "change")
def series_create(request: ClinicRequest) -> HttpResponse:
    return _series(request, None)


@require_http_methods(["GET", "POST"])
@page("queue_setup", "change")
def series_edit(request: ClinicRequest, series_id: UUID) -> HttpResponse:
    series: QueueSeries = QueueSeries.objects.found(pk=series_id)
    return _series(request, series)


def _series(request: ClinicRequest, series: QueueSeries | None) -> HttpResponse:
    services = [(str(pk), name) for pk, name in Service.objects.order_by("name").values_list("pk", "name")]
    form = SeriesForm(request.POST if request.method == "POST" else None, services=services, initial=_known(series))
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_series(actor=request.actor, series_id=series.pk if series else None, **form.as_series())
        except DomainError as error:
            show_problems(form, error)
        else:
            toast(request, _("%(name)s saved") % {"name": saved.name})
            return go(request, reverse("appointments:queue-setup"))
    context = {"form": form, "series": series}
    return render(request, "appointments/queue_series.html", context, status=422 if form.errors else 200)


def _known(series: QueueSeries | None) -> dict[str, Any]:
    if series is None:
        return {"takes_walk_ins": True, "is_active": True}
    known = {name: getattr(series, name) for name in ("letter", "name", "takes_walk_ins", "is_active")}
    return {**known, "services": [str(one) for one in series.members.values_list("service_id", flat=True)]}


@require_http_methods(["GET", "POST"])
@page("queue_setup", "change")
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
