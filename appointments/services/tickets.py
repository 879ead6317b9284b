"""A ticket as such: it is given out, goes its way step by step, and follows its patient's visit. Stands below the workflow."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments import events
from appointments.choices import (
    CALLABLE,
    OPEN_TICKETS,
    TICKET_STEPS,
    Priority,
    Status,
    TicketSource,
    TicketStatus,
    priority_of,
    rank_at,
)
from appointments.errors import NumbersOut
from appointments.models import Appointment, Ticket, TicketChange
from appointments.selectors.queue_places import QueuePlace, SeriesBrief, queue_place, series_of
from appointments.selectors.queue_waits import Estimate, Waiting, durations_at, estimates
from core.accounts.actor import Actor
from core.errors import Conflict, Detail
from core.events.announcing import announce
from core.events.catalogue import Event
from core.tenancy.context import current_clinic_id

logger = logging.getLogger(__name__)

LAST_NUMBER = 999
WAITING_BEGINS = ("create", "transfer")  # the steps that say for whom it waits
NUMBERS = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
# What a visit's new state means for its ticket, when the ticket stands where the step begins.
OF_VISIT = {Status.IN_PROGRESS: "serve", Status.COMPLETED: "finish", Status.CANCELLED: "leave", Status.NO_SHOW: "leave"}
OF_UNDONE_VISIT = {Status.IN_PROGRESS: "reopen", Status.CHECKED_IN: "put_back"}


def give_out(
    *,
    actor: Actor,
    place: QueuePlace,
    series: SeriesBrief,
    source: TicketSource,
    ranked: tuple[Priority, datetime],
    now: datetime,
    service_id: UUID | None = None,
    patient_id: UUID | None = None,
    appointment: Appointment | None = None,
    provider_id: UUID | None = None,
) -> Ticket:
    """The next ticket of the place's day and the group's letter, with what its holder is told about the wait. Seven statements.

    Who takes one of the same letter meanwhile waits for our commit, and a number that is rolled back is given out again: so there
    is no gap and none twice. Raises NumbersOut when all 999 are.
    """
    priority, queued_at = ranked
    ticket = Ticket(
        location_id=place.id,
        day=place.day_at(now),
        series_id=series.id,
        letter=series.letter,
        source=source,
        service_id=service_id,
        patient_id=patient_id,
        appointment=appointment,
        provider_id=provider_id,
        room_id=appointment.room_id if appointment else None,
        priority=priority,
        taken_at=now,
        queued_at=queued_at,
    )
    ticket.number = _next_number(ticket)
    told = expected_wait(ticket, place, now)
    ticket.expected_minutes, ticket.expected_least, ticket.expected_most = told.minutes, told.least, told.most
    ticket.save(force_insert=True)
    _record(actor, ticket, "create", "", now)
    announce_ticket(events.TICKET_CREATED, ticket)
    return ticket


def _next_number(ticket: Ticket) -> int:
    """Two statements: the lock first, so that the second sees what those before us have committed."""
    key = f"ticket {current_clinic_id()} {ticket.location_id} {ticket.day} {ticket.letter}"
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS, [key])
    given = Ticket.objects.filter(location_id=ticket.location_id, day=ticket.day, letter=ticket.letter)
    last: int = given.aggregate(last=Max("number"))["last"] or 0
    if last >= LAST_NUMBER:
        raise NumbersOut
    return last + 1


def expected_wait(ticket: Ticket, place: QueuePlace, now: datetime) -> Estimate:
    """For a ticket that is about to be given out. Two queries."""
    todays = list(Ticket.objects.filter(location_id=place.id, day=ticket.day).telling_waits(now).in_order(now))
    before = [Waiting.of(one) for one in todays if one.status in CALLABLE and _is_before(one, ticket, now)]
    others = [Waiting.of(one) for one in todays if one.status not in CALLABLE]
    found = estimates([*before, Waiting.of(ticket)], others, durations_at(place.id, ticket.day), now)
    return found[ticket.id]


def _is_before(other: Ticket, ticket: Ticket, now: datetime) -> bool:
    """Is it called before the new one?"""
    theirs, own = (rank_at(one.priority, one.queued_at, now) for one in (other, ticket))
    return (theirs, other.queued_at) <= (own, ticket.queued_at)


def take_step(
    *, actor: Actor, ticket: Ticket, action: str, now: datetime, provider_id: UUID | None = None, room_id: UUID | None = None
) -> Ticket:
    """One step of `TICKET_STEPS` for a ticket whose row is locked. Raises Conflict naming the present state. At most four
    statements.
    """
    step, before = TICKET_STEPS[action], TicketStatus(ticket.status)
    if before not in step.sources:
        raise _not_from(before)
    ticket.status = step.target
    if action == "put_back":
        ticket.provider_id, ticket.room_id = _waited_for(ticket)
    else:
        ticket.provider_id = provider_id or ticket.provider_id
        ticket.room_id = room_id or ticket.room_id
    _set_moments(ticket, step.target, action, now)
    ticket.save()
    _record(actor, ticket, action, before, now)
    announce_ticket(events.OF_TICKET_STEP[action], ticket)
    return ticket


def _waited_for(ticket: Ticket) -> tuple[UUID | None, UUID | None]:
    """The provider and the room that it waited for before it was called, as its last waiting began. One query."""
    waited = TicketChange.objects.filter(ticket=ticket, action__in=WAITING_BEGINS).order_by("-at", "-id")
    return waited.values_list("provider_id", "room_id").first() or (ticket.provider_id, ticket.room_id)


def was_sent_on(ticket: Ticket) -> bool:
    """Has it been transferred? What happens to it is no longer what happens to its visit. One query."""
    return TicketChange.objects.filter(ticket=ticket, action="transfer").exists()


def _set_moments(ticket: Ticket, target: TicketStatus, action: str, now: datetime) -> None:
    if target == TicketStatus.CALLED or (target == TicketStatus.SERVING and ticket.last_called_at is None):
        ticket.calls += 1
        ticket.called_at = ticket.called_at or now
        ticket.last_called_at = now
    if target == TicketStatus.SERVING and action != "reopen":
        ticket.serving_at = now
    if action in ("put_back", "transfer"):
        ticket.serving_at = ticket.last_called_at = None
    ticket.ended_at = now if target in (TicketStatus.FINISHED, TicketStatus.LEFT) else None


def ticket_for_arrival(*, actor: Actor, visit: Appointment, now: datetime) -> Ticket | None:
    """The ticket of a visit that has just been checked in, where patients wait by tickets and there are some left; else None. At
    most eight statements.
    """
    place = queue_place(visit.location_id)
    series = series_of(visit.service_id) if place else None
    if place is None or series is None:
        return None
    age = visit.patient.age_on(place.day_at(now))
    try:
        return give_out(
            actor=actor,
            place=place,
            series=series,
            source=TicketSource.APPOINTMENT,
            ranked=priority_of(arrived=now, is_emergency=visit.is_urgent, age=age, start=visit.start),
            now=now,
            service_id=visit.service_id,
            patient_id=visit.patient_id,
            appointment=visit,
            provider_id=visit.provider_id,
        )
    except NumbersOut:  # they are here all the same
        logger.warning("All tickets %s of the location %s are given out for today.", series.letter, place.id)
        return None


def follow_visit(*, actor: Actor, visit: Appointment, undone: bool = False, now: datetime | None = None) -> None:
    """Take the visit's ticket to where the visit is now. Nothing where nobody waits by tickets. At most eight statements."""
    if queue_place(visit.location_id) is None:
        return
    status = Status(visit.status)
    if status == Status.CHECKED_IN and not undone:
        ticket_for_arrival(actor=actor, visit=visit, now=now or timezone.now())
        return
    action = OF_UNDONE_VISIT.get(status, "leave") if undone else OF_VISIT.get(status)
    ticket = last_ticket_of(visit.pk) if action else None
    now = now or timezone.now()
    if action and ticket and ticket.status in TICKET_STEPS[action].sources:
        provider_id, room_id = ticket.provider_id or visit.provider_id, ticket.room_id or visit.room_id
        take_step(actor=actor, ticket=ticket, action=action, now=now, provider_id=provider_id, room_id=room_id)


def last_ticket_of(appointment_id: UUID) -> Ticket | None:
    """The visit's newest ticket, its row locked; or None. One query."""
    tickets = Ticket.objects.filter(appointment_id=appointment_id).order_by("-taken_at", "-id")
    return tickets.select_for_update(no_key=True).first()


def open_ticket_of(appointment_id: UUID) -> Ticket | None:
    """The one it waits with, or None. One query."""
    return Ticket.objects.filter(appointment_id=appointment_id, status__in=sorted(OPEN_TICKETS)).first()


def announce_ticket(event: Event, ticket: Ticket) -> None:
    """Tell whoever wants to know: ids and states. One statement."""
    announce(
        event,
        ticket.id,
        ticket=ticket.id,
        location=ticket.location_id,
        series=ticket.series_id,
        appointment=ticket.appointment_id,
        provider=ticket.provider_id,
        room=ticket.room_id,
        status=ticket.status,
        source=ticket.source,
        priority=Priority(ticket.priority).name.lower(),
    )


def _record(actor: Actor, ticket: Ticket, action: str, before: str, now: datetime) -> None:
    TicketChange.objects.create(
        ticket=ticket,
        at=now,
        action=action,
        actor_id=actor.user_id,
        actor_name=actor.name,
        from_status=before,
        to_status=ticket.status,
        provider_id=ticket.provider_id,
        room_id=ticket.room_id,
    )


def _not_from(present: TicketStatus) -> Conflict:
    message = _("That is not possible: the ticket's state is “%(state)s”.") % {"state": present.label}
    return Conflict(message, [Detail("status", present.value, message)], {"status": present.value})
