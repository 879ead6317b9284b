"""The Today page: who waits, who is expected, who is with whom, and the figures above them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median_low
from uuid import UUID

from appointments.choices import FREED, MOVABLE, Status
from appointments.models import AppointmentChange, Service
from appointments.policies import visible_appointments
from appointments.selectors.availability import free_time_tags
from appointments.selectors.timetable import ProviderBrief, around, taken, timetable
from appointments.selectors.visits import VisitRow, VisitValues, visit_row, visit_values
from appointments.slots import Demand, Shift, Slot, slots_of
from clinics.models import ClinicSettings
from core.accounts.actor import Actor
from core.cache import TTL, Tag, cached
from patients.models import Patient, PatientAccount

USUAL_MINUTES = 20  # a visit's length where no service says


@dataclass(frozen=True, slots=True)
class FirstFree:
    """The first free time of the rest of the day. `start` in the location's zone, `clock` as "11:20"."""

    start: datetime
    clock: str
    provider_id: UUID
    provider_name: str
    provider_short: str
    location_id: UUID


@dataclass(frozen=True, slots=True)
class IdleProvider:
    """Somebody who works now and has nobody with them. `next_clock` is their next booked visit, or empty."""

    provider_id: UUID
    provider_name: str
    provider_short: str
    room_name: str
    next_clock: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers on top. Waits in whole minutes; None where nobody waits or waited.

    `over_target` counts who waits longer than the clinic's amber limit. `free_slots` are visits of the usual length (the
    median of the clinic's services) that fit into the rest of the day one after the other.
    """

    waiting: int
    longest_wait: int | None
    longest_tone: str
    average_wait: int | None
    over_target: int
    expected: int
    late: int
    next_clock: str
    no_shows: int
    booked: int
    free_slots: int
    first_free: FirstFree | None


@dataclass(frozen=True, slots=True)
class TodayBoard:
    """The lanes, each in its own order: waiting urgent first and then longest, expected by start, with provider by start of
    the visit, done latest first, missed by start."""

    day: date
    now: datetime
    figures: Figures
    waiting: tuple[VisitRow, ...]
    expected: tuple[VisitRow, ...]
    with_provider: tuple[VisitRow, ...]
    done: tuple[VisitRow, ...]
    missed: tuple[VisitRow, ...]
    idle: tuple[IdleProvider, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a wait is amber and red, in minutes."""

    warn: int
    late: int

    def tone(self, minutes: int) -> str:
        return "mute" if minutes < self.warn else "warn" if minutes < self.late else "bad"


def board_tags(day: date) -> list[Tag]:
    """On what the board depends, besides the clock."""
    shown = (AppointmentChange, PatientAccount, Patient, ClinicSettings)
    return [Tag("appointments", day), *free_time_tags(day, day), *map(Tag.all, shown)]


def today_board(*, actor: Actor, day: date, now: datetime, location_id: UUID | None = None) -> TodayBoard:
    """Everything the Today page shows. 7 queries."""
    actor.require("appointment", "view")
    visits = visible_appointments(actor).on_day(day).exclude(status=Status.CANCELLED)
    if location_id is not None:
        visits = visits.filter(location_id=location_id)
    found = visit_values(visits)
    limits = wait_limits()
    lanes: dict[Status, list[VisitRow]] = {status: [] for status in Status}
    for visit in found:
        minutes, tone = _counted(visit, now, limits)
        lanes[Status(visit.status)].append(visit_row(visit, actor, minutes=minutes, tone=tone))
    waiting = sorted(lanes[Status.CHECKED_IN], key=lambda row: (not row.is_urgent, -row.minutes, row.start, row.id))
    expected = sorted((row for state in MOVABLE for row in lanes[state]), key=lambda row: (row.start, row.id))
    free, shifts, providers = _free_today(actor, day, now, location_id)
    with_provider = sorted(lanes[Status.IN_PROGRESS], key=lambda row: (-row.minutes, row.id))
    return TodayBoard(
        day=day,
        now=now,
        figures=_figures(found, waiting, expected, limits, now, len(lanes[Status.NO_SHOW]), free, providers),
        waiting=tuple(waiting),
        expected=tuple(expected),
        with_provider=tuple(with_provider),
        done=tuple(sorted(lanes[Status.COMPLETED], key=lambda row: (row.completed_at or row.end, row.id), reverse=True)),
        missed=tuple(lanes[Status.NO_SHOW]),
        idle=tuple(_idle(shifts, providers, with_provider, [*waiting, *expected], now)),
    )


@cached("clinics.wait_limits", ttl=TTL.CLINIC, tags=lambda: [Tag.all(ClinicSettings)])
def wait_limits() -> Limits:
    """The clinic's own limits, or the usual ones. One query."""
    settings = ClinicSettings.objects.first() or ClinicSettings()
    return Limits(settings.wait_warn_minutes, settings.wait_late_minutes)


def _counted(visit: VisitValues, now: datetime, limits: Limits) -> tuple[int, str]:
    """What the row counts in minutes, and how bad that is."""
    if visit.status == Status.CHECKED_IN:
        minutes = _minutes(visit.checked_in_at or visit.start, now)
        return minutes, limits.tone(minutes)
    if visit.status == Status.IN_PROGRESS:
        minutes = _minutes(visit.started_at or visit.start, now)
        return minutes, "warn" if minutes > _minutes(visit.start, visit.end) else "mute"
    if visit.status in MOVABLE and visit.start < now:
        minutes = _minutes(visit.start, now)
        return minutes, "warn" if minutes else "mute"
    return 0, "mute"


def _minutes(since: datetime, until: datetime) -> int:
    return max(0, int((until - since).total_seconds() // 60))


def _figures(
    visits: list[VisitValues],
    waiting: list[VisitRow],
    expected: list[VisitRow],
    limits: Limits,
    now: datetime,
    no_shows: int,
    free: list[Slot],
    providers: dict[UUID, ProviderBrief],
) -> Figures:
    waits = [_minutes(v.checked_in_at, v.started_at or now) for v in visits if v.checked_in_at and v.status not in FREED]
    longest = max((row.minutes for row in waiting), default=None)
    first = free[0] if free else None
    return Figures(
        waiting=len(waiting),
        longest_wait=longest,
        longest_tone=limits.tone(longest or 0),
        average_wait=round(sum(waits) / len(waits)) if waits else None,
        over_target=sum(row.minutes >= limits.warn for row in waiting),
        expected=len(expected),
        late=sum(row.minutes > 0 for row in expected),
        next_clock=next((row.clock for row in expected if row.start >= now), ""),
        no_shows=no_shows,
        booked=len(visits),
        free_slots=len(free),
        first_free=_first_free(first, providers[first.provider_id]) if first else None,
    )


def _first_free(slot: Slot, provider: ProviderBrief) -> FirstFree:
    return FirstFree(slot.start, f"{slot.start:%H:%M}", provider.id, provider.name, provider.short_name, slot.location_id)


def _free_today(
    actor: Actor, day: date, now: datetime, location_id: UUID | None
) -> tuple[list[Slot], list[Shift], dict[UUID, ProviderBrief]]:
    """Free times of the usual length that don't overlap, the day's shifts and who works. 5 queries."""
    table = timetable(actor=actor, first_day=day - timedelta(days=1), last_day=day, location_id=location_id, with_rooms=False)
    shifts = table.shifts(day - timedelta(days=1), day)
    busy = taken(table.providers, (), *around(day, day))
    demand = Demand(usual_minutes())
    todays = [shift for shift in shifts if shift.day == day]
    return list(_one_after_another(slots_of(todays, (), demand, busy, earliest=now))), shifts, table.providers


@cached("appointments.usual_minutes", ttl=TTL.CLINIC, tags=lambda: [Tag.all(Service)])
def usual_minutes() -> int:
    """How long a visit of this clinic usually is: the median of its services. One query."""
    durations = sorted(Service.objects.filter(is_active=True).values_list("duration_minutes", flat=True))
    return median_low(durations) if durations else USUAL_MINUTES


def _one_after_another(slots: Iterable[Slot]) -> Iterable[Slot]:
    until: dict[UUID, datetime] = {}
    for slot in slots:
        if slot.provider_id not in until or slot.start >= until[slot.provider_id]:
            until[slot.provider_id] = slot.end
            yield slot


def _idle(
    shifts: list[Shift], providers: dict[UUID, ProviderBrief], busy: list[VisitRow], coming: list[VisitRow], now: datetime
) -> Iterable[IdleProvider]:
    seen = {row.provider_id for row in busy}
    coming = sorted(coming, key=lambda row: row.start)
    for shift in shifts:
        provider = providers[shift.block.provider_id]
        if provider.id in seen or not shift.holds(now, now):
            continue
        seen.add(provider.id)
        following = next((row for row in coming if row.provider_id == provider.id), None)
        room = following.room_name if following else ""
        yield IdleProvider(provider.id, provider.name, provider.short_name, room, following.clock if following else "")
