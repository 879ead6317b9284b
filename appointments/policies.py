"""Which visits somebody may see."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from appointments.choices import ChangeKind, Status
from appointments.models import Appointment, AppointmentChange, Ticket
from appointments.querysets import AppointmentQuerySet, TicketQuerySet
from clinics.models import Location, Provider
from core.accounts.actor import Actor
from core.audit.restricted import Opening
from core.cache import Tag
from patients.models import PatientAccount

TREATING_DAYS = 30  # before and after the day of a visit, in the visit's zone


def at_places_of[Rows: QuerySet[Any]](actor: Actor, rows: Rows, location: str) -> Rows:
    """Those at the person's locations if they have some, else all. `location` is the way to a row's own. No query yet."""
    return rows.filter(**{f"{location}_id__in": actor.location_ids}) if actor.location_ids else rows


def visible_appointments(actor: Actor) -> AppointmentQuerySet:
    """The clinic's visits; only those at the person's locations if they have some; a patient's own. No query yet."""
    visits: AppointmentQuerySet = Appointment.objects.all()
    if not actor.can("appointment", "view"):
        return visits.none()
    visits = at_places_of(actor, visits, "location")
    if actor.is_patient_only:
        own = PatientAccount.objects.filter(user=actor.user_id).values("patient_id")
        visits = visits.filter(patient_id__in=own)
    return visits


def visible_tickets(actor: Actor) -> TicketQuerySet:
    """The clinic's tickets; only those at the person's locations if they have some. No query yet."""
    tickets: TicketQuerySet = Ticket.objects.all()
    if not actor.can("queue", "view"):
        return tickets.none()
    return at_places_of(actor, tickets, "location")


class Treating:
    """Who sees a patient on a visit reads the record around its day (core.audit.restricted.Way).

    A visit that is cancelled doesn't count, nor one that the person booked or moved: nobody books a way into a record.
    """

    def openings(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Opening]:
        own = AppointmentChange.objects.filter(
            appointment_id=OuterRef("pk"), actor_id=user_id, kind__in=[ChangeKind.BOOKED, ChangeKind.MOVED]
        )
        visits = Appointment.objects.filter(
            ~Exists(own),
            patient_id__in=list(patient_ids),
            provider__user_id=user_id,
            provider__is_active=True,
            local_day__gte=timezone.localdate() - timedelta(days=TREATING_DAYS + 1),
        ).exclude(status=Status.CANCELLED)
        for patient_id, day, zone in visits.values_list("patient_id", "local_day", "time_zone"):
            midnight = datetime.combine(day, time(), ZoneInfo(zone))
            yield Opening(patient_id, midnight - timedelta(days=TREATING_DAYS), midnight + timedelta(days=TREATING_DAYS + 1))

    def tags(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Tag]:
        return [Tag.all(Provider), Tag.all(AppointmentChange), *(Tag("visits", one) for one in patient_ids)]


def bookable_locations(actor: Actor) -> QuerySet[Location]:
    """Where somebody may book and look: the locations in use, or those of them that are theirs. No query yet."""
    places = Location.objects.filter(is_active=True)
    return places.filter(pk__in=actor.location_ids) if actor.location_ids else places
