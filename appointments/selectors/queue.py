"""Who waits, who was called where and who did not come: for the staff's page, and what of it a waiting room may read."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from appointments.choices import CALLABLE, TICKET_STEPS, Priority, TicketStatus
from appointments.models import LocationQueue, QueueSeries, Service, Ticket
from appointments.policies import visible_tickets
from appointments.selectors.queue_places import QueuePlace, series_in_use
from appointments.selectors.queue_waits import Estimate, Waiting, durations_at, estimates
from appointments.selectors.today import Limits, wait_limits
from clinics.models import ClinicSettings, Location, Provider, Room
from core.accounts.actor import Actor
from core.audit.subjects import Reading, shown
from core.cache import TTL, Tag, cached
from patients.models import Patient, PatientAccount

BOARD_CALLED, BOARD_NEXT = 4, 4  # rows of a board
STILL_SHOWN = timedelta(minutes=2)  # after the call, for somebody who has gone in already
LAST_ENDED = 8
MINUTE = timedelta(minutes=1)
_S = TicketStatus


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One ticket with what its row shows. `minutes` is the wait so far, or since the call; `tone` how bad that is: mute, warn
    or bad. `actions` are the next steps this person may take. Who has no record has no `patient_name`."""

    id: UUID
    version: int
    token: str
    status: TicketStatus
    status_label: str
    priority: Priority
    priority_label: str
    series_name: str
    service_name: str
    patient_id: UUID | None
    patient_name: str
    appointment_id: UUID | None
    visit_clock: str
    provider_short: str
    room_name: str
    calls: int
    minutes: int
    tone: str
    estimate: Estimate | None
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueLanes:
    """The tickets of a location and a day: waiting in the order of calling, called and inside latest first, who did not come,
    and the last who are done or have left."""

    waiting: tuple[TicketRow, ...]
    called: tuple[TicketRow, ...]
    inside: tuple[TicketRow, ...]
    skipped: tuple[TicketRow, ...]
    ended: tuple[TicketRow, ...]
    longest_wait: int | None
    longest_tone: str
    average_wait: int | None
    done: int


def queue_tags(place: QueuePlace, day: date) -> list[Tag]:
    """On what the lanes depend, besides the clock."""
    named = (Patient, PatientAccount, Provider, Room, Location, LocationQueue, QueueSeries, Service, ClinicSettings)
    return [Tag("tickets", place.id, day), Tag("appointments", day), *map(Tag.all, named)]


def queue_lanes(*, actor: Actor, place: QueuePlace, now: datetime) -> QueueLanes:
    """Everything the queue's page shows of a location. Three queries."""
    actor.require("queue", "view")
    day = place.day_at(now)
    tickets = list(visible_tickets(actor).filter(location_id=place.id, day=day).for_list().in_order(now))
    shown([one.patient_id for one in tickets if one.patient_id], Reading.LIST)
    limits, told = wait_limits(), _estimates(tickets, place.id, day, now)
    lanes: dict[TicketStatus, list[TicketRow]] = {status: [] for status in TicketStatus}
    for ticket in tickets:
        lanes[TicketStatus(ticket.status)].append(_row(ticket, actor, place, now, limits, told.get(ticket.id)))
    waiting = _merged(tickets, lanes)
    waits = [_minutes(one.taken_at, one.called_at or now) for one in tickets if one.called_at or one.status in CALLABLE]
    longest = max((row.minutes for row in waiting), default=None)
    last_called = {one.id: one.last_called_at or now for one in tickets}
    ended_at = {one.id: one.ended_at or now for one in tickets}
    over = sorted((*lanes[_S.FINISHED], *lanes[_S.LEFT]), key=lambda row: (ended_at[row.id], row.token), reverse=True)
    return QueueLanes(
        waiting=tuple(waiting),
        called=tuple(sorted(lanes[_S.CALLED], key=lambda row: last_called[row.id], reverse=True)),
        inside=tuple(sorted(lanes[_S.SERVING], key=lambda row: (-row.minutes, row.token))),
        skipped=tuple(lanes[_S.SKIPPED]),
        ended=tuple(over[:LAST_ENDED]),
        longest_wait=longest,
        longest_tone=limits.tone(longest or 0),
        average_wait=round(sum(waits) / len(waits)) if waits else None,
        done=len(lanes[_S.FINISHED]),
    )


def _merged(tickets: list[Ticket], lanes: dict[TicketStatus, list[TicketRow]]) -> list[TicketRow]:
    """Both kinds of waiting in one order."""
    rows = {row.id: row for status in CALLABLE for row in lanes[status]}
    return [rows[ticket.id] for ticket in tickets if ticket.id in rows]


def _estimates(tickets: list[Ticket], location_id: UUID, day: date, now: datetime) -> dict[UUID, Estimate]:
    """For who waits. One query."""
    waiting = [Waiting.of(one) for one in tickets if one.status in CALLABLE]
    others = [Waiting.of(one) for one in tickets if one.status not in CALLABLE]
    return estimates(waiting, others, durations_at(location_id, day), now)


def _row(ticket: Ticket, actor: Actor, place: QueuePlace, now: datetime, limits: Limits, told: Estimate | None) -> TicketRow:
    status = TicketStatus(ticket.status)
    since = {_S.CALLED: ticket.last_called_at, _S.SERVING: ticket.serving_at}.get(status) or ticket.taken_at
    minutes = _minutes(since, ticket.ended_at or now)
    visit = ticket.appointment
    return TicketRow(
        id=ticket.id,
        version=ticket.version,
        token=ticket.token,
        status=status,
        status_label=str(status.label),
        priority=Priority(ticket.priority),
        priority_label=str(Priority(ticket.priority).label),
        series_name=ticket.series.name,
        service_name=ticket.service.name if ticket.service else "",
        patient_id=ticket.patient_id,
        patient_name=ticket.patient.full_name if ticket.patient else "",
        appointment_id=ticket.appointment_id,
        visit_clock=f"{visit.start.astimezone(place.zone):%H:%M}" if visit else "",
        provider_short=ticket.provider.short_name if ticket.provider else "",
        room_name=ticket.room.name if ticket.room else "",
        calls=ticket.calls,
        minutes=minutes,
        tone=limits.tone(minutes) if status in CALLABLE else "mute",
        estimate=told,
        actions=tuple(name for name, step in TICKET_STEPS.items() if status in step.sources and _may(actor, name)),
    )


def _may(actor: Actor, action: str) -> bool:
    return action != "reopen" and actor.can("queue", action)


def _minutes(since: datetime, until: datetime) -> int:
    return max(0, int((until - since).total_seconds() // 60))


# --- The board: tokens and rooms, and nothing of anybody --------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What a waiting room reads. `called`: (token, room, how often called, when in ms since 1970), the latest first; `next_up`:
    (token, minutes).
    """

    called: tuple[tuple[str, str, int, int], ...]
    next_up: tuple[tuple[str, int], ...]


@cached(
    "queue.board",
    ttl=TTL.EMERGENCY,
    tags=lambda location_id, day, minute: [Tag("tickets", location_id, day), Tag.all(Room)],
)
def board_facts(location_id: UUID, day: date, minute: datetime) -> BoardFacts:
    """What is shown at this minute. Two queries."""
    todays = Ticket.objects.filter(location_id=location_id, day=day)
    tickets = list(todays.telling_waits(minute).select_related("room").in_order(minute + MINUTE))
    told = _estimates(tickets, location_id, day, minute)
    called = [one for one in tickets if one.last_called_at and _is_shown(one, minute)]
    called.sort(key=lambda one: (one.last_called_at, one.token), reverse=True)
    waiting = [one for one in tickets if one.status in CALLABLE and one.queued_at <= minute + MINUTE]
    return BoardFacts(
        tuple(_called(one) for one in called[:BOARD_CALLED]),
        tuple((one.token, told[one.id].minutes) for one in waiting[:BOARD_NEXT]),
    )


def _called(ticket: Ticket) -> tuple[str, str, int, int]:
    at = int(ticket.last_called_at.timestamp() * 1000) if ticket.last_called_at else 0
    return ticket.token, ticket.room.name if ticket.room else "", ticket.calls, at


def _is_shown(ticket: Ticket, now: datetime) -> bool:
    if ticket.status == _S.CALLED:
        return True
    return ticket.status == _S.SERVING and ticket.last_called_at is not None and ticket.last_called_at > now - STILL_SHOWN


def walk_in_groups() -> list[tuple[UUID, str, str]]:
    """The groups that a kiosk offers: id, letter, name. Two queries."""
    return [(one.id, one.letter, one.name) for one in series_in_use() if one.takes_walk_ins]
