"""What is done with the queue: take a ticket, call the next, and each step on a ticket's way; its visit, if any, goes along."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.choices import TICKET_STEPS, Priority, Status, TicketSource, TicketStatus, priority_of
from appointments.errors import QueueEmpty
from appointments.models import Appointment, QueueSeries, Service, ServiceProvider, Ticket
from appointments.policies import visible_tickets
from appointments.selectors.queue_callers import usual_room
from appointments.selectors.queue_places import QueuePlace, SeriesBrief, queue_place, series_in_use, series_of
from appointments.services.claims import check_version, locked_appointment
from appointments.services.tickets import give_out, take_step, was_sent_on
from appointments.services.workflow import change_status, undo_last_change
from appointments.validators import raise_if
from clinics.models import Provider, Room
from core.accounts.actor import Actor
from core.errors import Conflict, Detail
from patients.choices import PatientStatus
from patients.models import Patient
from patients.policies import visible_patients


def take_ticket(
    *,
    actor: Actor,
    location_id: UUID,
    series_id: UUID | None = None,
    service_id: UUID | None = None,
    patient_id: UUID | None = None,
    provider_id: UUID | None = None,
    priority: Priority | None = None,
    now: datetime | None = None,
) -> Ticket:
    """A walk-in's ticket. `series_id` may be left out where a service says the group. `priority` raises what the rule gives.

    Raises ValidationFailed naming every wrong field. At most fourteen statements.
    """
    actor.require("queue", "create")
    now, wrong = now or timezone.now(), list[Detail]()
    place = _place(actor, location_id, wrong)
    series = _series(series_id, service_id, wrong)
    patient = _patient(actor, patient_id, wrong) if patient_id else None
    _check_exist(wrong, service=(Service, service_id), provider=(Provider, provider_id))
    raise_if(wrong)
    assert place is not None and series is not None  # noqa: S101  (else it was said above)
    ruled, since = priority_of(arrived=now, age=patient.age_on(place.day_at(now)) if patient else None)
    return give_out(
        actor=actor,
        place=place,
        series=series,
        source=TicketSource.WALK_IN,
        ranked=(min(ruled, priority or ruled), since),
        now=now,
        service_id=service_id,
        patient_id=patient_id,
        provider_id=provider_id,
    )


def call_next(
    *,
    actor: Actor,
    location_id: UUID,
    provider_id: UUID | None = None,
    room_id: UUID | None = None,
    now: datetime | None = None,
) -> Ticket:
    """Call who is first of those whom this provider, or this room, may call. Raises QueueEmpty when nobody is. At most eleven
    statements.

    A provider calls who waits for them, and in a group of theirs who waits for nobody in particular, or for their room; a room
    who waits for it or for nobody; without either, anybody. One statement decides: it takes the first row that nobody else is
    about to call and holds it, so two who press at once call two tickets.
    """
    actor.require("queue", "call")
    asked, wrong = now or timezone.now(), list[Detail]()
    place = _place(actor, location_id, wrong)
    _check_exist(wrong, provider=(Provider, provider_id))
    _check_room(wrong, room_id, location_id)
    raise_if(wrong)
    assert place is not None  # noqa: S101  (else it was said above)
    line = visible_tickets(actor).filter(location_id=place.id, day=place.day_at(asked)).to_call()
    first = line.filter(_may_call(location_id, provider_id, room_id)).in_order(asked)
    ticket: Ticket | None = first.select_for_update(skip_locked=True, no_key=True).first()
    if ticket is None:
        raise QueueEmpty
    now = now or timezone.now()  # with the row in hand: what was done to it before was earlier
    room_id = room_id or ticket.room_id or usual_room(location_id, provider_id)
    return _named(take_step(actor=actor, ticket=ticket, action="call", now=now, provider_id=provider_id, room_id=room_id))


def _may_call(location_id: UUID, provider_id: UUID | None, room_id: UUID | None) -> Q:
    if provider_id is not None:
        offered = set(ServiceProvider.objects.filter(provider_id=provider_id).values_list("service_id", flat=True))
        theirs = [one.id for one in series_in_use() if not one.service_ids or one.service_ids & offered]
        own = room_id or usual_room(location_id, provider_id)
        here = Q(room=None) | Q(room_id=own) if own else Q(room=None)
        return Q(provider_id=provider_id) | Q(provider=None, series_id__in=theirs) & here
    if room_id is not None:
        return Q(room_id=room_id) | Q(provider=None, room=None)
    return Q()


def step_ticket(
    *,
    actor: Actor,
    ticket_id: UUID,
    action: str,
    provider_id: UUID | None = None,
    room_id: UUID | None = None,
    expected_version: int | None = None,
    now: datetime | None = None,
) -> Ticket:
    """One step of `TICKET_STEPS`; the visit of the ticket goes along: it begins when the patient is served, and ends or is
    cancelled with the ticket.

    Raises NotFound, PreconditionFailed, Conflict naming the present state when the step is not possible from it. At most 26
    statements.
    """
    actor.require("queue", action)
    wrong: list[Detail] = []
    ticket, visit = _locked(actor, ticket_id, expected_version)
    now = now or timezone.now()
    _check_exist(wrong, provider=(Provider, provider_id))
    _check_room(wrong, room_id, ticket.location_id)
    raise_if(wrong)
    led = _LEADING.get(action) if ticket.status in TICKET_STEPS[action].sources else None
    if visit is not None and led is not None and led(actor, visit, ticket, now):
        return _named(Ticket.objects.get(pk=ticket.pk))
    room_id = room_id or ticket.room_id or usual_room(ticket.location_id, provider_id)
    return _named(take_step(actor=actor, ticket=ticket, action=action, now=now, provider_id=provider_id, room_id=room_id))


def transfer_ticket(
    *,
    actor: Actor,
    ticket_id: UUID,
    series_id: UUID | None = None,
    provider_id: UUID | None = None,
    room_id: UUID | None = None,
    expected_version: int | None = None,
    now: datetime | None = None,
) -> Ticket:
    """Send somebody on to another group, provider or room, where they wait again; the token and the place in the order stay.

    Raises ValidationFailed unless one of the three is given and all exist; else as `step_ticket`. At most nine statements.
    """
    actor.require("queue", "transfer")
    wrong: list[Detail] = []
    ticket, _visit = _locked(actor, ticket_id, expected_version)
    if series_id is None and provider_id is None and room_id is None:
        wrong.append(Detail("series", "required", _("Say where to: a group, a provider or a room.")))
    _check_exist(wrong, series=(QueueSeries, series_id), provider=(Provider, provider_id))
    _check_room(wrong, room_id, ticket.location_id)
    raise_if(wrong)
    if ticket.status in TICKET_STEPS["transfer"].sources:
        ticket.series_id = series_id or ticket.series_id
        ticket.provider_id, ticket.room_id = provider_id, room_id
    return _named(take_step(actor=actor, ticket=ticket, action="transfer", now=now or timezone.now()))


# --- The visit goes along: the functions take its own steps, and the ticket follows (services.tickets.follow_visit) ---------
def _begin(actor: Actor, visit: Appointment, ticket: Ticket, now: datetime) -> bool:
    if visit.status != Status.CHECKED_IN:
        return False
    change_status(actor=actor, appointment_id=visit.pk, action="start", now=now)
    return True


def _end(actor: Actor, visit: Appointment, ticket: Ticket, now: datetime) -> bool:
    began = _begin(actor, visit, ticket, now)
    if not began and visit.status != Status.IN_PROGRESS:
        return False
    change_status(actor=actor, appointment_id=visit.pk, action="complete", now=now)
    return True


def _leave(actor: Actor, visit: Appointment, ticket: Ticket, now: datetime) -> bool:
    if visit.status != Status.CHECKED_IN:
        return False
    reason = _("Left before being called")
    change_status(actor=actor, appointment_id=visit.pk, action="cancel", reason=reason, now=now)
    return True


def _take_back(actor: Actor, visit: Appointment, ticket: Ticket, now: datetime) -> bool:
    if ticket.status == TicketStatus.LEFT:
        raise Conflict(_("Who has left gets a new ticket when their visit is checked in."))
    if visit.status != Status.IN_PROGRESS or ticket.status != TicketStatus.SERVING or was_sent_on(ticket):
        return False
    undo_last_change(actor=actor, appointment_id=visit.pk)
    return True


_LEADING: dict[str, Callable[[Actor, Appointment, Ticket, datetime], bool]] = {
    "serve": _begin,
    "finish": _end,
    "leave": _leave,
    "put_back": _take_back,
}


# --- Inside -----------------------------------------------------------------------------------------------------------------
def _locked(actor: Actor, ticket_id: UUID, expected_version: int | None) -> tuple[Ticket, Appointment | None]:
    """The ticket and its visit, their rows locked, the visit's first as everywhere. Raises NotFound. Two or three queries."""
    mine = visible_tickets(actor)
    seen: Ticket = mine.found(pk=ticket_id)
    visit = locked_appointment(actor, seen.appointment_id) if seen.appointment_id else None
    ticket: Ticket = mine.select_for_update(no_key=True).found(pk=ticket_id)
    check_version(ticket, expected_version)
    return ticket, visit


def _named(ticket: Ticket) -> Ticket:
    """With the names a row shows. One query."""
    return Ticket.objects.for_list().get(pk=ticket.pk)


def _place(actor: Actor, location_id: UUID, wrong: list[Detail]) -> QueuePlace | None:
    place = queue_place(location_id)
    if place is None or (actor.location_ids and location_id not in actor.location_ids):
        wrong.append(Detail("location", "not_found", _("Nobody waits by tickets there.")))
        return None
    return place


def _series(series_id: UUID | None, service_id: UUID | None, wrong: list[Detail]) -> SeriesBrief | None:
    series = next((one for one in series_in_use() if one.id == series_id), None) if series_id else series_of(service_id)
    if series is None:
        wrong.append(Detail("series", "not_found", _("There is no such ticket group in use.")))
    return series


def _patient(actor: Actor, patient_id: UUID, wrong: list[Detail]) -> Patient | None:
    patient: Patient | None = visible_patients(actor).filter(pk=patient_id).first()
    if patient is None or patient.status != PatientStatus.ACTIVE:
        wrong.append(Detail("patient", "not_found", _("There is no such patient.")))
        return None
    return patient


def _check_exist(wrong: list[Detail], **given: tuple[Any, UUID | None]) -> None:
    """Add an error for each id that names nothing in use. A query for each that is given."""
    for name, (model, row_id) in given.items():
        if row_id is not None and not model.objects.filter(pk=row_id, is_active=True).exists():
            wrong.append(Detail(name, "not_found", _("There is no such record in use.")))


def _check_room(wrong: list[Detail], room_id: UUID | None, location_id: UUID) -> None:
    """Add an error unless the room is in use at this location. At most one query."""
    if room_id is None:
        return
    found = Room.objects.filter(pk=room_id, is_active=True).values_list("location_id", flat=True).first()
    if found is None:
        wrong.append(Detail("room", "not_found", _("There is no such room in use.")))
    elif found != location_id:
        wrong.append(Detail("room", "wrong_location", _("This room is at another location.")))
