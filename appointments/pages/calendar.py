"""The calendar: a day by provider, and a provider's week."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from appointments.choices import Status
from appointments.pages.answers import is_fragment
from appointments.pages.reading import read_day, read_uuid
from appointments.selectors import (
    CalendarEvent,
    CalendarPage,
    Column,
    Stretch,
    VisitRow,
    calendar_day,
    calendar_tags,
    calendar_week,
    locations_of,
)
from clinics.models import Provider
from core.accounts.actor import Actor
from core.pages.access import page
from core.pages.fragments import answer_fragment, kept_fragment
from core.requests import ClinicRequest

STEP = 5  # minutes: lengths are shown to this grain
FINE = 15  # a page with shorter visits is drawn larger
SHORTEST_SHOWN = 10
MOST_BESIDE = 6
# Status -> tone and icon of an event; expected visits are plain.
LOOKS: dict[Status, tuple[str, str]] = {
    Status.CHECKED_IN: ("warn", "clock"),
    Status.IN_PROGRESS: ("info", "with"),
    Status.COMPLETED: ("mute", "done"),
    Status.NO_SHOW: ("bad", "missed"),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place as classes: hour, minute, length, and which of how many beside each other."""

    visit: VisitRow
    place: str
    tone: str
    icon: str
    shows_service: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Off-hours or a free stretch. A free one has the address that books there."""

    place: str
    words: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A column as the template draws it."""

    column: Column
    events: list[Placed]
    off: list[Gap]
    free: list[Gap]
    is_today: bool
    is_past: bool


def place_of(from_minute: int, minutes: int) -> str:
    """The classes that put something on the track; its length rounded to five minutes."""
    length = max(STEP, round(minutes / STEP) * STEP)
    return f"h{from_minute // 60} m{from_minute % 60} d{length}"


def beside(events: Iterable[CalendarEvent]) -> list[tuple[CalendarEvent, int, int]]:
    """Events that overlap share the width: (event, its position, how many positions)."""
    placed: list[tuple[CalendarEvent, int, int]] = []
    group: list[tuple[CalendarEvent, int]] = []
    ends: list[int] = []

    def close() -> None:
        placed.extend((event, position, len(ends)) for event, position in group)
        group.clear()
        ends.clear()

    for event in sorted(events, key=lambda one: (one.from_minute, -one.minutes)):
        if ends and event.from_minute >= max(ends):
            close()
        until = event.from_minute + max(event.minutes, SHORTEST_SHOWN)
        position = next((n for n, end in enumerate(ends) if end <= event.from_minute), len(ends))
        ends[position : position + 1] = [until]
        group.append((event, position))
    close()
    return placed


def lane(column: Column, *, actor: Actor, now_day: date, back: str) -> Lane:
    events = []
    for event, position, width in beside(column.events):
        tone, icon = LOOKS.get(event.visit.status, ("", ""))
        width = min(width, MOST_BESIDE)
        side = f" of{width} at{min(position, width - 1)}" if width > 1 else ""
        place = place_of(event.from_minute, event.minutes) + side
        events.append(Placed(event.visit, place, tone, icon, shows_service=event.minutes >= 30))
    off = [Gap(place_of(one.from_minute, one.minutes), "") for one in column.off]
    free = []
    if actor.can("appointment", "create"):
        free = [
            Gap(place_of(one.from_minute, one.minutes), one.starts[0].strftime("%H:%M"), _book_at(column, one, back))
            for one in column.free
            if one.starts
        ]
    return Lane(column, events, off, free, is_today=column.day == now_day, is_past=column.day < now_day)


def _book_at(column: Column, stretch: Stretch, back: str) -> str:
    wish = {"provider": str(column.provider_id), "start": stretch.starts[0].isoformat(), "next": back}
    if stretch.location_id:
        wish["location"] = str(stretch.location_id)
    return f"{reverse('appointments:book')}?{urlencode(wish)}"


@require_GET
@page("appointment")
def day(request: ClinicRequest) -> HttpResponse:
    """One day, a column a provider. At most 7 queries behind the frame's, none of what is kept."""
    now = timezone.now()
    today = timezone.localdate(now)
    shown = read_day(request.GET.get("day")) or today
    locations = locations_of(request.actor)
    wanted = read_uuid(request.GET.get("location"))
    location = next((one for one in locations if one.id == wanted), None)
    keep = {"location": str(location.id)} if location else {}
    back = _address("appointments:calendar", day=shown, **keep)

    def drawn() -> dict[str, object]:
        found = calendar_day(actor=request.actor, day=shown, location_id=location.id if location else None, now=now)
        return _frame(request, found, today, back) | {"location": location}

    calendar = _calendar(request, drawn, shown, shown, now, (back, location))
    if is_fragment(request):
        return answer_fragment(request, calendar)
    context = {
        "calendar": calendar,
        "day": shown,
        "locations": locations,
        "location": location,
        "filter_rest": urlencode({"day": shown.isoformat()}),
        "before": _address("appointments:calendar", day=shown - timedelta(days=1), **keep),
        "after": _address("appointments:calendar", day=shown + timedelta(days=1), **keep),
        "back_to_today": _address("appointments:calendar", **keep),
    }
    return render(request, "appointments/calendar_day.html", context)


@require_GET
@page("appointment")
def week(request: ClinicRequest) -> HttpResponse:
    """Seven days of one provider. At most 8 queries behind the frame's, none of what is kept but for the providers."""
    now = timezone.now()
    today = timezone.localdate(now)
    shown = read_day(request.GET.get("day")) or today
    first_day = shown - timedelta(days=shown.weekday())
    providers = list(Provider.objects.filter(is_active=True).order_by("name"))
    provider = _provider(request, providers)
    last_day = first_day + timedelta(days=6)
    keep = {"provider": str(provider.pk)} if provider else {}
    context = {
        "day": shown,
        "last_day": last_day,
        "first_day": first_day,
        "providers": providers,
        "provider": provider,
        "before": _address("appointments:week", day=first_day - timedelta(days=7), **keep),
        "after": _address("appointments:week", day=first_day + timedelta(days=7), **keep),
        "back_to_today": _address("appointments:week", **keep),
    }
    if provider:
        provider_id, back = provider.pk, _address("appointments:week", day=first_day, **keep)

        def drawn() -> dict[str, object]:
            found = calendar_week(actor=request.actor, provider_id=provider_id, first_day=first_day, now=now)
            return _frame(request, found, today, back) | {"by_day": True}

        calendar = _calendar(request, drawn, first_day, last_day, now, (back, provider_id))
        if is_fragment(request):
            return answer_fragment(request, calendar)
        context["calendar"] = calendar
    return render(request, "appointments/calendar_week.html", context)


def _calendar(
    request: ClinicRequest,
    drawn: Callable[[], dict[str, object]],
    first_day: date,
    last_day: date,
    now: datetime,
    also: tuple[object, ...],
) -> SafeString:
    request.actor.require("appointment", "view")
    return kept_fragment(
        request, "appointments/_calendar.html", drawn, tags=lambda: calendar_tags(first_day, last_day), now=now, also=also
    )


def _provider(request: ClinicRequest, providers: list[Provider]) -> Provider | None:
    """The provider asked for; else the one who is looking; else the first."""
    wanted: UUID | None = read_uuid(request.GET.get("provider"))
    asked = next((one for one in providers if one.id == wanted), None)
    own = next((one for one in providers if one.user_id == request.user.pk), None)
    return asked or own or next(iter(providers), None)


def _frame(request: ClinicRequest, found: CalendarPage, today: date, back: str) -> dict[str, object]:
    opens, closes = found.opens_minute // 60, -(-found.closes_minute // 60)
    now_place = ""
    if found.now_minute is not None and found.opens_minute <= found.now_minute <= found.closes_minute:
        now_place = f"h{found.now_minute // 60} m{found.now_minute % 60}"
    return {
        "page": found,
        "span": f"from{opens} to{closes}",
        "hours": range(opens + 1, closes),
        "lanes": [lane(column, actor=request.actor, now_day=today, back=back) for column in found.columns],
        "fine": any(event.minutes < FINE for column in found.columns for event in column.events),
        "now_place": now_place,
        "now_clock": f"{found.now_minute // 60:02}:{found.now_minute % 60:02}" if found.now_minute is not None else "",
    }


def _address(name: str, **query: object) -> str:
    said = {key: value.isoformat() if isinstance(value, date) else str(value) for key, value in query.items()}
    return f"{reverse(name)}?{urlencode(said)}" if said else reverse(name)
