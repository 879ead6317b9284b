"""What HMS does with visits and hours, by name, and with which it can be tried."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from appointments import selectors
from appointments.models import Appointment, Holiday, Schedule, ScheduleException, Service, Ticket
from appointments.policies import visible_appointments
from appointments.selectors.picking import bookable_services, offered_times
from appointments.selectors.queue import board_facts, queue_lanes
from appointments.selectors.queue_places import QueuePlace, queue_places
from appointments.selectors.queue_waits import durations_at
from appointments.selectors.reminders import due_reminders
from appointments.selectors.settings import exceptions_of, providers_with_hours, services_with_offers, weekly_hours_of
from appointments.services import book_appointment, call_next, take_ticket
from clinics.models import Provider
from clinics.operations import as_anybody
from core.accounts.actor import Actor, system_actor
from core.database.advice import accept
from core.database.optimizer import NoSample, optimizer
from core.operations import PEOPLE_STAY
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from patients.choices import PatientStatus
from patients.operations import A_PAGE, some_patient

WEEK = timedelta(days=6)


# --- Reads that are one queryset --------------------------------------------------------------------------------------
def listed(actor: Actor) -> list[Appointment]:
    return list(visible_appointments(actor).for_list().order_by("start", "id")[:A_PAGE])


def last_listed(actor: Actor) -> list[Appointment]:
    return list(visible_appointments(actor).for_list().order_by("-start", "-id")[:A_PAGE])


def schedules(actor: Actor) -> list[Schedule]:
    rows = Schedule.objects.select_related("provider", "location", "room")
    return list(rows.order_by("weekday", "start_time", "id")[:A_PAGE])


def exceptions(actor: Actor) -> list[ScheduleException]:
    rows = ScheduleException.objects.select_related("provider", "location", "room")
    return list(rows.order_by("first_day", "id")[:A_PAGE])


def holidays(actor: Actor) -> list[Holiday]:
    return list(Holiday.objects.select_related("location").order_by("day", "id")[:A_PAGE])


# --- What they are tried with -----------------------------------------------------------------------------------------
def _now_here() -> datetime:
    return timezone.now().astimezone(Clinic.objects.get(pk=current_clinic_id()).zone)


def _some_visit() -> Appointment:
    """The last visit that begins before tomorrow, or else the first. Raises NoSample."""
    tomorrow = timezone.now() + timedelta(days=1)
    visit = (
        Appointment.objects.filter(start__lt=tomorrow).order_by("-start").first() or Appointment.objects.order_by("start").first()
    )
    if visit is None:
        raise NoSample("The clinic has no visit.")
    return visit


def _some_offer() -> tuple[Service, Provider]:
    """A service and somebody who offers it and has hours. Raises NoSample."""
    hours = Schedule.objects.filter(provider__is_active=True, provider__offers__service__is_active=True, location__is_active=True)
    block = hours.select_related("provider").order_by("provider__name", "id").first()
    service = Service.objects.filter(is_active=True, offers__provider=block.provider).order_by("name").first() if block else None
    if block is None or service is None:
        raise NoSample("No provider of the clinic has hours and offers a service.")
    return service, block.provider


def _today() -> dict[str, Any]:
    now = _now_here()
    return {**as_anybody(), "day": now.date(), "now": now}


def _a_day() -> dict[str, Any]:
    return {**as_anybody(), "day": _now_here().date()}


def _week_of_one() -> dict[str, Any]:
    return {**as_anybody(), "provider_id": _some_offer()[1].pk, "first_day": _now_here().date()}


def _next_days() -> dict[str, date]:
    today = _now_here().date()
    return {"first_day": today, "last_day": today + WEEK}


def _slots() -> dict[str, Any]:
    return {**as_anybody(), **_next_days(), "service": _some_offer()[0]}


def _slots_and_now() -> dict[str, Any]:
    return {**_slots(), "now": timezone.now()}


def _nearest() -> dict[str, Any]:
    service, provider = _some_offer()
    return {**as_anybody(), "service": service, "provider_id": provider.pk, "near": timezone.now() + timedelta(days=1)}


def _hours() -> dict[str, Any]:
    return {**as_anybody(), **_next_days(), "provider_id": _some_offer()[1].pk}


def _one_provider() -> dict[str, UUID]:
    return {"provider_id": _some_offer()[1].pk}


def _one_visit() -> dict[str, Any]:
    return {**as_anybody(), "appointment_id": _some_visit().pk}


def _visits_of_one() -> dict[str, Any]:
    return {**as_anybody(), "patient_id": _some_visit().patient_id}


def _expected_of_one() -> dict[str, Any]:
    visit = _some_visit()
    return {**as_anybody(), "patient_id": visit.patient_id, "location_id": visit.location_id, "day": visit.local_day}


def _booking() -> dict[str, Any]:
    """The first free time of the coming fortnight. Raises NoSample."""
    service, provider = _some_offer()
    actor, today = system_actor(current_clinic_id()), _now_here().date()
    first, last = today + timedelta(days=1), today + timedelta(days=14)
    free = selectors.free_slots(actor=actor, service=service, provider_id=provider.pk, first_day=first, last_day=last)
    if not free:
        raise NoSample("The provider has no free time in the coming fortnight.")
    start = free[0].start.astimezone(UTC)
    return {
        "actor": actor,
        "patient_id": some_patient(status=PatientStatus.ACTIVE).pk,
        "service_id": service.pk,
        "provider_id": provider.pk,
        "start": start,
    }


def _a_place() -> QueuePlace:
    """A location whose patients wait by tickets. Raises NoSample."""
    places = queue_places()
    if not places:
        raise NoSample("Nobody waits by tickets in this clinic.")
    return places[0]


def _queue() -> dict[str, Any]:
    return {**as_anybody(), "place": _a_place(), "now": timezone.now()}


def _board() -> dict[str, Any]:
    place, now = _a_place(), timezone.now()
    return {"location_id": place.id, "day": place.day_at(now), "minute": now.replace(second=0, microsecond=0)}


def _durations() -> dict[str, Any]:
    place = _a_place()
    return {"location_id": place.id, "day": place.day_at(timezone.now())}


def _ticket() -> dict[str, Any]:
    return {"actor": system_actor(current_clinic_id()), "location_id": _a_place().id}


def _next_call() -> dict[str, Any]:
    """Where somebody waits today. Raises NoSample."""
    for place in queue_places():
        if Ticket.objects.filter(location_id=place.id, day=place.day_at(timezone.now())).to_call().exists():
            return {"actor": system_actor(current_clinic_id()), "location_id": place.id}
    raise NoSample("Nobody waits in this clinic.")


def register() -> None:
    accept("appointments_appointmentchange(actor_id)", PEOPLE_STAY)
    accept("appointments_ticketchange(actor_id)", PEOPLE_STAY)
    optimizer.register("queue.lanes", queue_lanes, _queue)
    optimizer.register("queue.board", board_facts, _board)
    optimizer.register("queue.durations", durations_at, _durations)
    optimizer.register("queue.take", take_ticket, _ticket, writes=True)
    optimizer.register("queue.call_next", call_next, _next_call, writes=True)
    optimizer.register("appointments.list", listed, as_anybody)
    optimizer.register("appointments.list.last_page", last_listed, as_anybody)
    optimizer.register("appointments.detail", selectors.appointment_detail, _one_visit)
    optimizer.register("appointments.of_patient", selectors.appointments_of, _visits_of_one)
    optimizer.register("appointments.expected_of_patient", selectors.expected_visits, _expected_of_one)
    optimizer.register("appointments.today", selectors.today_board, _today)
    optimizer.register("appointments.calendar_day", selectors.calendar_day, _a_day)
    optimizer.register("appointments.calendar_week", selectors.calendar_week, _week_of_one)
    optimizer.register("appointments.book", book_appointment, _booking, writes=True)
    optimizer.register("appointments.reminders_due", due_reminders, lambda: {"now": timezone.now()})
    optimizer.register("services.list", services_with_offers, as_anybody)
    optimizer.register("services.bookable", bookable_services, as_anybody)
    optimizer.register("slots.week", selectors.free_slots, _slots)
    optimizer.register("slots.offered", offered_times, _slots_and_now)
    optimizer.register("slots.nearest", selectors.nearest_slots, _nearest, most_repeats=7)
    optimizer.register("hours.list", schedules, as_anybody)
    optimizer.register("hours.exceptions", exceptions, as_anybody)
    optimizer.register("hours.holidays", holidays, as_anybody)
    optimizer.register("hours.by_provider", providers_with_hours, as_anybody)
    optimizer.register("hours.of_provider", weekly_hours_of, _one_provider)
    optimizer.register("hours.exceptions_of_provider", exceptions_of, _one_provider)
    optimizer.register("hours.free_of_provider", selectors.working_time, _hours)
