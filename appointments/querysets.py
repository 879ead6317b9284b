"""How appointments are read."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Case, F, IntegerField, Q, Value, When

from appointments.choices import CALLABLE, CALLS_LATELY, LONG_WAIT, OPEN_TICKETS, Priority
from core.tenancy.querysets import ClinicQuerySet

if TYPE_CHECKING:
    from appointments.models import Appointment, Ticket  # noqa: F401


class AppointmentQuerySet(ClinicQuerySet["Appointment"]):
    def for_list(self) -> Self:
        """With the names a row shows: patient, service, provider, room, location. One query."""
        return self.select_related("patient", "service", "provider", "location", "room")

    def on_day(self, day: date) -> Self:
        """The visits of one local day of their location, earliest first."""
        return self.filter(local_day=day).order_by("start", "id")


class TicketQuerySet(ClinicQuerySet["Ticket"]):
    def for_list(self) -> Self:
        """With the names a row shows. One query."""
        return self.select_related("location", "series", "service", "patient", "appointment", "provider", "room")

    def open(self) -> Self:
        """Of those who are still here."""
        return self.filter(status__in=sorted(OPEN_TICKETS))

    def telling_waits(self, now: datetime) -> Self:
        """Of those who are still here, and those by whom one knows who has called lately: what estimates follow from."""
        return self.filter(Q(status__in=sorted(OPEN_TICKETS)) | Q(last_called_at__gte=now - CALLS_LATELY))

    def to_call(self) -> Self:
        """Of those who wait to be called."""
        return self.filter(status__in=sorted(CALLABLE))

    def in_order(self, now: datetime) -> Self:
        """In the order in which they are called at this moment (`choices.priority_of`)."""
        ordinary = Q(priority=Priority.ORDINARY, queued_at__lte=now - LONG_WAIT)
        early = Q(queued_at__gt=now)
        rank = Case(
            When(early, then=Value(Priority.ORDINARY + 1)),
            When(ordinary, then=Value(Priority.ON_TIME.value)),
            default=F("priority"),
            output_field=IntegerField(),
        )
        return self.order_by(rank, "queued_at", "id")
