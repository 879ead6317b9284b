"""The calendar: columns of visits, off-hours and free time, for a day by provider and for a provider's week."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments.choices import FREED, Status
from appointments.models import AppointmentChange
from appointments.policies import visible_appointments
from appointments.selectors.availability import free_time_tags
from appointments.selectors.timetable import ProviderBrief, Timetable, around, taken, timetable
from appointments.selectors.visits import VisitRow, visit_row, visit_values
from appointments.slots import Shift, Taken, days_between, free_stretches, starts
from clinics.models import Provider
from core.accounts.actor import Actor
from core.cache import Tag
from core.errors import NotFound
from patients.models import Patient, PatientAccount

MIDNIGHT = 24 * 60
USUAL_OPENING, USUAL_CLOSING = 8 * 60, 18 * 60


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """A visit in a column, in minutes since local midnight. `is_freed`: missed, somebody else may have its time."""

    visit: VisitRow
    from_minute: int
    minutes: int
    is_freed: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a column in minutes since local midnight. `starts` are the starts of the grid in it (free stretches only)."""

    from_minute: int
    until_minute: int
    location_id: UUID | None = None
    location_name: str = ""
    starts: tuple[datetime, ...] = ()

    @property
    def minutes(self) -> int:
        return self.until_minute - self.from_minute


@dataclass(frozen=True, slots=True)
class Column:
    """One provider on one day. `hours` are when they work, `off` the rest between the page's ends, `free` what can be booked."""

    day: date
    provider_id: UUID
    provider_name: str
    provider_short: str
    location_names: tuple[str, ...]
    room_names: tuple[str, ...]
    events: tuple[CalendarEvent, ...]
    hours: tuple[Stretch, ...]
    off: tuple[Stretch, ...]
    free: tuple[Stretch, ...]

    @property
    def free_starts(self) -> int:
        return sum(len(stretch.starts) for stretch in self.free)


@dataclass(frozen=True, slots=True)
class CalendarPage:
    """Columns between two whole hours, in minutes since local midnight; `now_minute` is None when today is not shown."""

    first_day: date
    last_day: date
    opens_minute: int
    closes_minute: int
    now_minute: int | None
    columns: tuple[Column, ...]


def calendar_tags(first_day: date, last_day: date) -> list[Tag]:
    """On what the calendar of these days depends, besides the clock."""
    days = [Tag("appointments", day) for day in days_between(first_day, last_day)]
    return [*days, *free_time_tags(first_day, last_day), *map(Tag.all, (AppointmentChange, PatientAccount, Patient))]


def calendar_day(*, actor: Actor, day: date, location_id: UUID | None = None, now: datetime | None = None) -> CalendarPage:
    """A column for each provider who works or has a visit on that day, by name. 6 queries."""
    return _page(actor, day, day, location_id=location_id, provider=None, now=now or timezone.now())


def calendar_week(*, actor: Actor, provider_id: UUID, first_day: date, now: datetime | None = None) -> CalendarPage:
    """Seven columns, one a day. Raises NotFound for an unknown provider. 7 queries."""
    provider = Provider.objects.filter(pk=provider_id).first()
    if provider is None:
        raise NotFound("There is no such provider.")
    return _page(actor, first_day, first_day + timedelta(days=6), location_id=None, provider=provider, now=now or timezone.now())


def _page(
    actor: Actor, first_day: date, last_day: date, *, location_id: UUID | None, provider: Provider | None, now: datetime
) -> CalendarPage:
    actor.require("appointment", "view")
    visits = visible_appointments(actor).filter(local_day__range=(first_day, last_day)).exclude(status=Status.CANCELLED)
    if location_id is not None:
        visits = visits.filter(location_id=location_id)
    if provider is not None:
        visits = visits.filter(provider=provider)
    rows = visit_values(visits.order_by("start", "id"))
    table = timetable(
        actor=actor, first_day=first_day - timedelta(days=1), last_day=last_day,
        provider_id=provider.id if provider else None, location_id=location_id,
    )  # fmt: skip
    shifts = table.shifts(first_day - timedelta(days=1), last_day)
    busy = taken(table.providers, (), *around(first_day, last_day))
    named = {provider.id: provider.name} if provider else {row.provider_id: row.provider__name for row in rows}
    shown = {who: ProviderBrief.named(who, name) for who, name in named.items()} | ({} if provider else table.providers)
    events = [(visit.provider_id, _event(visit_row(visit, actor))) for visit in rows]
    builder = _Builder(table, shifts, busy, events, now)
    days = list(days_between(first_day, last_day))
    people = sorted(shown.values(), key=lambda one: (one.name, one.id))
    drafts = [builder.draft(person, day) for person in people for day in days]
    if provider is None:
        drafts = [draft for draft in drafts if draft.hours or draft.events]
    opens, closes = _span(drafts)
    columns = tuple(_with_off(draft, opens, closes) for draft in drafts)
    return CalendarPage(first_day, last_day, opens, closes, _now_minute(days, now, table), columns)


def _event(row: VisitRow) -> CalendarEvent:
    begin = row.start.hour * 60 + row.start.minute
    length = min(row.duration_minutes, MIDNIGHT - begin)
    return CalendarEvent(row, begin, length, row.status in FREED)


@dataclass(slots=True)
class _Builder:
    table: Timetable
    shifts: list[Shift]
    busy: Taken
    events: list[tuple[UUID, CalendarEvent]]
    now: datetime

    def draft(self, provider: ProviderBrief, day: date) -> Column:
        """A column without its off-hours, which depend on the others."""
        own = [shift for shift in self.shifts if shift.block.provider_id == provider.id]
        hours = [piece for shift in own for piece in self._pieces(shift, shift.intervals(), day)]
        free = [piece for shift in own for piece in self._free(shift, day)]
        at_work = [shift for shift in own if shift.day == day]
        rooms = [self.table.rooms[s.block.room_id].name for s in at_work if s.block.room_id in self.table.rooms]
        places = [self.table.locations[shift.block.location_id].name for shift in at_work]
        return Column(
            day=day,
            provider_id=provider.id,
            provider_name=provider.name,
            provider_short=provider.short_name,
            location_names=tuple(dict.fromkeys(places)),
            room_names=tuple(dict.fromkeys(rooms)),
            events=tuple(event for owner, event in self.events if owner == provider.id and event.visit.day == day),
            hours=tuple(sorted(hours, key=_by_minute)),
            off=(),
            free=tuple(sorted(free, key=_by_minute)),
        )

    def _free(self, shift: Shift, day: date) -> Iterable[Stretch]:
        step = shift.block.slot_minutes
        grid = list(starts(shift, step, int(self.now.timestamp())))
        for begin, end in free_stretches(shift, self.busy, earliest=self.now):
            low, high = begin.timestamp(), end.timestamp() - step * 60
            zone = shift.block.zone
            inside = [datetime.fromtimestamp(start, zone) for start in grid if low <= start <= high]
            for piece in self._pieces(shift, [(begin, end)], day):
                todays = tuple(start for start in inside if start.date() == day)
                yield Stretch(piece.from_minute, piece.until_minute, piece.location_id, piece.location_name, todays)

    def _pieces(self, shift: Shift, intervals: Iterable[tuple[datetime, datetime]], day: date) -> Iterable[Stretch]:
        """What of the intervals lies on the day, as minutes of wall-clock time."""
        place = self.table.locations[shift.block.location_id]
        for start, end in intervals:
            begin, until = _minute_on(start, day), _minute_on(end, day)
            if begin < until:
                yield Stretch(begin, until, place.id, place.name)


def _minute_on(moment: datetime, day: date) -> int:
    """Wall-clock minutes from the day's midnight, within the day."""
    if moment.date() != day:
        return 0 if moment.date() < day else MIDNIGHT
    return moment.hour * 60 + moment.minute


def _by_minute(stretch: Stretch) -> int:
    return stretch.from_minute


def _span(columns: list[Column]) -> tuple[int, int]:
    """The whole hours between which everything lies."""
    begins = [s.from_minute for c in columns for s in c.hours] + [e.from_minute for c in columns for e in c.events]
    ends = [s.until_minute for c in columns for s in c.hours] + [e.from_minute + e.minutes for c in columns for e in c.events]
    if not begins:
        return USUAL_OPENING, USUAL_CLOSING
    return min(begins) // 60 * 60, min(MIDNIGHT, -(-max(ends) // 60) * 60)


def _with_off(column: Column, opens: int, closes: int) -> Column:
    off, position = [], opens
    for stretch in column.hours:
        if stretch.from_minute > position:
            off.append(Stretch(position, stretch.from_minute))
        position = max(position, stretch.until_minute)
    if position < closes:
        off.append(Stretch(position, closes))
    return Column(
        column.day, column.provider_id, column.provider_name, column.provider_short, column.location_names,
        column.room_names, column.events, column.hours, tuple(off), column.free,
    )  # fmt: skip


def _now_minute(days: list[date], now: datetime, table: Timetable) -> int | None:
    zone = next((block.zone for block in table.hours.blocks), None) or timezone.get_current_timezone()
    local = now.astimezone(zone if isinstance(zone, ZoneInfo) else None)
    return local.hour * 60 + local.minute if local.date() in days else None
