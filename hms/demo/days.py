"""Plans the ordinary days of a demo clinic: what has been, and what is booked for the days to come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from appointments.choices import Status
from appointments.models import Schedule, Service
from appointments.slots import moment_of
from clinics.models import Provider
from hms.demo.furniture import ClinicView
from hms.demo.visits import CANCEL_REASONS, MINUTE, Deck, Visit, booked_before, dress
from patients.models import Patient

GRID = 10 * MINUTE
WEIGHTS = {
    "Consultation": 12,
    "Long consultation": 4,
    "Follow-up": 8,
    "Telephone call": 4,
    "New patient check": 2,
    "Child health check": 2,
    "Minor surgery": 1,
    "Blood test": 10,
    "Vaccination": 6,
    "Wound care": 4,
    "ECG": 6,
    "Physiotherapy": 8,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a provider's time that could be one visit."""

    service: Service
    start: datetime
    free_from: datetime  # its buffers are over


def chain(
    rng: Random, services: Sequence[Service], begin: datetime, limit: datetime, last_start: datetime | None = None
) -> Iterator[Place]:
    """Visits back to back on the ten-minute grid that begins at `begin`, none reaching over `limit`."""
    if not services:
        return
    cursor, weights = begin, [WEIGHTS.get(service.name, 4) for service in services]
    while cursor < limit:
        service = rng.choices(services, weights)[0]
        start = begin + -(-(cursor + service.buffer_before_minutes * MINUTE - begin) // GRID) * GRID
        free_from = start + (service.duration_minutes + service.buffer_after_minutes) * MINUTE
        if free_from > limit or (last_start is not None and start > last_start):
            service = min(
                services, key=lambda one: one.buffer_before_minutes * 100 + one.duration_minutes + one.buffer_after_minutes
            )
            start = begin + -(-(cursor - begin) // GRID) * GRID
            free_from = start + (service.duration_minutes + service.buffer_after_minutes) * MINUTE
            if free_from > limit or service.buffer_before_minutes or (last_start is not None and start > last_start):
                return
        yield Place(service, start, free_from)
        cursor = free_from


def plan_day(
    view: ClinicView,
    day: date,
    patients: list[Patient],
    *,
    now: datetime,
    density: float,
    first: Patient | None = None,
    away: frozenset[Provider] = frozenset(),
) -> list[Visit]:
    """The visits of one day other than today. Before `now` they are over, after it they are expected."""
    rng = Random(f"{view.clinic.slug} {day.isoformat()}")
    deck = Deck(patients, rng, first)
    visits: list[Visit] = []
    for provider in view.providers:
        free_at: datetime | None = None
        for block in view.week.get(provider.pk, []):
            if provider in away or not _works(block, day):
                continue
            begin, end = (moment_of(datetime.combine(day, at), view.clinic.zone) for at in (block.start_time, block.end_time))
            for place in chain(rng, view.offered[provider.pk], begin, end):
                if rng.random() > density:
                    continue
                patient = deck.deal(place.service, day.year)
                if patient is None:
                    return visits
                visit = Visit(
                    patient,
                    place.service,
                    provider,
                    block.location,
                    block.room,
                    place.start,
                    Status.CONFIRMED,
                    booked_before(rng, min(place.start, now)),
                )
                if place.start < now:
                    free_at = was(rng, visit, free_at)
                else:
                    _will_be(rng, visit, now)
                visits.append(dress(rng, visit))
    return visits


def _works(block: Schedule, day: date) -> bool:
    if block.weekday != day.weekday() or block.end_time <= block.start_time:
        return False
    return (block.valid_from is None or block.valid_from <= day) and (block.valid_until is None or day <= block.valid_until)


def was(rng: Random, visit: Visit, free_at: datetime | None, until: datetime | None = None) -> datetime | None:
    """Let a visit of the past have happened, or not. Returns when its provider was free again; `until` is the latest."""
    chance = rng.random()
    if chance < 0.075:
        visit.status, visit.reason = Status.CANCELLED, rng.choice(CANCEL_REASONS)
        visit.ended_at = max(visit.booked_at + 100 * MINUTE, visit.start - rng.randrange(40, 3000) * MINUTE)
        return free_at
    if chance < 0.14:
        visit.status, visit.reason = Status.NO_SHOW, "" if chance < 0.12 else "Rang twice, no answer"
        visit.ended_at = visit.start + rng.randrange(16, 26) * MINUTE
        if until is not None:
            visit.ended_at = min(visit.ended_at, until)
        return free_at
    late = visit.start + rng.randrange(-3, 7) * MINUTE
    started = max(late, free_at) if free_at else late
    completed = started + max(4, round(visit.service.duration_minutes * rng.uniform(0.7, 1.12))) * MINUTE
    if until is not None:
        completed = min(completed, until)
        started = min(started, completed - 2 * MINUTE)
    visit.status = Status.COMPLETED
    visit.started_at, visit.completed_at = started, completed
    visit.checked_in_at = min(visit.start - rng.randrange(0, 14) * MINUTE, started - MINUTE)
    return completed


def _will_be(rng: Random, visit: Visit, now: datetime) -> None:
    chance = rng.random()
    if chance < 0.05:
        visit.status, visit.reason = Status.CANCELLED, rng.choice(CANCEL_REASONS)
        visit.ended_at = visit.booked_at + timedelta(seconds=(now - visit.booked_at).total_seconds() * rng.random())
    elif chance < 0.13:
        visit.status = Status.REQUESTED
