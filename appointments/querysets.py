"""How appointments are read."""

from datetime import date
from typing import TYPE_CHECKING, Self

from core.tenancy.querysets import ClinicQuerySet

if TYPE_CHECKING:
    from appointments.models import Appointment  # noqa: F401


class AppointmentQuerySet(ClinicQuerySet["Appointment"]):
    def for_list(self) -> Self:
        """With the names a row shows: patient, service, provider, room, location. One query."""
        return self.select_related("patient", "service", "provider", "location", "room")

    def on_day(self, day: date) -> Self:
        """The visits of one local day of their location, earliest first."""
        return self.filter(local_day=day).order_by("start", "id")
