"""The booking panel: patient, service, provider and time, each narrowing the next; beside the calendar or as a page."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from appointments.choices import Source, Status
from appointments.errors import SlotTaken
from appointments.forms import SLOT_SEPARATOR, BookingForm, slot_value
from appointments.models import Appointment, Service
from appointments.pages.answers import done, is_fragment, safe_next, with_ticket
from appointments.pages.patient_choice import PatientChoice, fill, matches_for, picked, typed_text
from appointments.pages.reading import read_day, read_moment, read_uuid
from appointments.pages.slot_picker import SlotPicker, Wish, slot_picker
from appointments.policies import visible_appointments
from appointments.selectors import LocationBrief, locations_of
from appointments.selectors.picking import bookable_services
from appointments.services import book_appointment, change_status
from clinics.models import Provider
from core.drafts.services import draft_of, drop_draft
from core.errors import DomainError
from core.pages.access import page
from core.requests import ClinicRequest
from patients.pages.registering import BOOK, KEPT, draft_of_errand

LONGEST_WAIT = timedelta(hours=6)  # past midnight, of whoever walks in


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the panel so far, read leniently: whatever is malformed counts as not said."""

    patient_id: UUID | None = None
    service_id: UUID | None = None
    provider_id: UUID | None = None
    location_id: UUID | None = None
    day: date | None = None
    first_day: date | None = None
    start: datetime | None = None
    notes: str = ""
    is_urgent: bool = False
    walk_in: bool = False
    text: str = ""
    next: str = ""
    kept: bool = False

    @property
    def wall_clock(self) -> datetime | None:
        """The wished start as the clock of its place shows it."""
        return self.start and self.start.replace(tzinfo=None)


@dataclass
class Panel:
    """Everything the panel shows. Built before rendering."""

    typed: Typed
    picker: SlotPicker
    choice: PatientChoice
    service: Service | None = None
    services: list[Service] = field(default_factory=list)
    providers: list[Provider] = field(default_factory=list)
    locations: list[LocationBrief] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    alternatives: list[Any] = field(default_factory=list)
    taken: str = ""


def read_typed(data: QueryDict, *, next_url: str) -> Typed:
    slot_start, _separator, _provider = (data.get("slot") or "").partition(SLOT_SEPARATOR)
    start = read_moment(slot_start or data.get("start"))
    return Typed(
        patient_id=picked(data),
        service_id=read_uuid(data.get("service")),
        provider_id=read_uuid(data.get("provider")),
        location_id=read_uuid(data.get("location")),
        day=read_day(data.get("day")) or (start.date() if start else None),  # a time comes on the clock of its place
        first_day=read_day(data.get("from")),
        start=start,
        notes=data.get("notes", "")[:2000],
        is_urgent=bool(data.get("is_urgent")),
        walk_in=bool(data.get("walk_in")),
        text=typed_text(data),
        next=next_url,
        kept=bool(data.get(KEPT)),
    )


def build_panel(request: ClinicRequest, typed: Typed, *, now: datetime) -> Panel:
    """Patient, services with their providers, locations, free times. At most nine queries, and what a search counts."""
    actor = request.actor
    services = bookable_services(actor=actor)
    service = next((one for one in services if one.pk == typed.service_id), None)
    providers = sorted(service.providers.all(), key=lambda one: one.name) if service else _clicked(services, typed)
    provider_id = typed.provider_id if any(one.pk == typed.provider_id for one in providers) else None
    wish = Wish(
        provider_id=provider_id, location_id=typed.location_id, day=typed.day, first_day=typed.first_day,
        start=typed.start, today_only=typed.walk_in,
    )  # fmt: skip
    choice = PatientChoice(reverse("appointments:book-panel"), reverse("appointments:book-patients"), typed.text)
    return Panel(
        typed=typed,
        picker=slot_picker(actor=actor, service=service, wish=wish, now=now),
        choice=fill(choice, request, patient_id=typed.patient_id, offers_recent=service is None),
        service=service,
        services=services,
        providers=providers,
        locations=locations_of(actor),
    )


def _clicked(services: list[Service], typed: Typed) -> list[Provider]:
    """While no service says who offers it: the provider whose free time led here, or none."""
    return list({one for service in services for one in service.providers.all() if one.pk == typed.provider_id})


def show(request: ClinicRequest, panel: Panel, status: int = 200) -> HttpResponse:
    panel.choice.note()
    beside = is_fragment(request)
    context = {"panel": panel, "beside": beside, "begins": beside or not panel.errors}
    return render(request, f"appointments/{'_booking_panel' if beside else 'booking'}.html", context, status=status)


@require_http_methods(["GET", "POST"])
@page("appointment", "create")
def book(request: ClinicRequest) -> HttpResponse:
    """GET: the panel, prefilled from opaque ids. POST: book."""
    data = request.POST if request.method == "POST" else _prefilled(request)
    typed = read_typed(data, next_url=safe_next(request))
    if request.method == "GET":
        return show(request, build_panel(request, typed, now=timezone.now()))
    return _book(request, typed)


@require_POST
@page("appointment", "create")
def panel(request: ClinicRequest) -> HttpResponse:
    """The panel again after a field was changed; nothing is booked."""
    typed = read_typed(request.POST, next_url=safe_next(request))
    return show(request, build_panel(request, typed, now=timezone.now()))


patient_matches = matches_for("appointments:book-panel")


def _prefilled(request: ClinicRequest) -> QueryDict:
    """A link's wishes. No name: no address holds one. `?again=<visit>` takes patient, service and provider of an earlier visit.

    `?kept=1` has the notes that were typed before the patient was registered: one query more.
    """
    data = request.GET.copy()
    data.pop("q", None)
    if again := read_uuid(request.GET.get("again")):
        visit: Appointment | None = visible_appointments(request.actor).filter(pk=again).first()
        if visit:
            for name in ("patient", "service", "provider"):
                data.setdefault(name, str(getattr(visit, f"{name}_id")))
    if KEPT in data and (patient_id := picked(data)):
        draft = draft_of(actor=request.actor, form=draft_of_errand(BOOK, patient_id))
        data["notes"] = draft.values.get("notes", [""])[-1] if draft else ""
    return data


def _book(request: ClinicRequest, typed: Typed) -> HttpResponse:
    data = request.POST.copy()
    if alternative := request.POST.get("alternative"):
        data["slot"] = alternative
    form = BookingForm(data)
    if not form.is_valid():
        return _again(request, typed, {name: str(errors[0]) for name, errors in form.errors.items()})
    said = form.cleaned_data
    start, provider_id = said["slot"]
    try:
        visit = book_appointment(
            actor=request.actor, patient_id=said["patient"], service_id=said["service"], provider_id=provider_id, start=start,
            location_id=said["location"], notes=said["notes"], is_urgent=said["is_urgent"],
            source=Source.WALK_IN if said["walk_in"] else Source.STAFF,
        )  # fmt: skip
    except SlotTaken as error:
        return _taken(request, typed, error)
    except DomainError as error:
        if error.status not in (400, 409):
            raise
        errors = {detail.field.removesuffix("_id"): str(detail.message) for detail in error.details}
        return _again(request, typed, errors or {"slot": str(error.message)}, status=409 if error.status == 409 else 422)
    if said["walk_in"] and _is_waited_for(visit.local_start) and request.actor.can("appointment", "check_in"):
        visit = change_status(actor=request.actor, appointment_id=visit.pk, action="check_in")
    if typed.kept:
        drop_draft(actor=request.actor, form=draft_of_errand(BOOK, visit.patient_id))
    return done(request, visit, _booked_words(visit), to=typed.next)


def _booked_words(visit: Appointment) -> str:
    time = f"{visit.local_start:%H:%M}"
    words = {"name": visit.patient.full_name, "time": time, "provider": visit.provider.short_name}
    if visit.status == Status.CHECKED_IN:
        return with_ticket(_("%(name)s is waiting for %(provider)s") % words, visit)
    return _("Booked %(name)s at %(time)s with %(provider)s") % words


def _again(request: ClinicRequest, typed: Typed, errors: dict[str, str], status: int = 422) -> HttpResponse:
    shown = build_panel(request, typed, now=timezone.now())
    shown.errors = errors
    return show(request, shown, status=status)


def _taken(request: ClinicRequest, typed: Typed, error: SlotTaken) -> HttpResponse:
    """Somebody was faster: the nearest free times in place, everything typed kept."""
    shown = build_panel(request, typed, now=timezone.now())
    shown.taken = str(error.message)
    names_place = len(shown.locations) > 1 and typed.location_id is None
    shown.alternatives = alternatives_of(error, names_place=names_place, today_only=typed.walk_in)
    return show(request, shown, status=409)


def _is_waited_for(start: datetime) -> bool:
    """By whoever walks in now: a time of today, or of a night that has begun. `start` on the clock of its place."""
    now = timezone.now()
    return start <= now + LONGEST_WAIT or start.date() == now.astimezone(start.tzinfo).date()


def alternatives_of(error: SlotTaken, *, names_place: bool, today_only: bool = False) -> list[dict[str, Any]]:
    """The nearest free times as buttons: value, naive local time, who, and where if that isn't said already.

    `today_only`: those that somebody who has walked in may wait for.
    """
    found = []
    for one in error.extra.get("alternatives", []):
        start = datetime.fromisoformat(one["start"])
        if today_only and not _is_waited_for(start):
            continue
        who = [one["provider"]["name"], one["location"]["name"]] if names_place else [one["provider"]["name"]]
        value = slot_value(start, UUID(one["provider"]["id"]))
        found.append({"value": value, "local": start.replace(tzinfo=None), "with": ", ".join(who)})
    return found
