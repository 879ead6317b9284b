"""How large a scale database is, and what follows from that for each of its clinics."""

from dataclasses import dataclass
from math import ceil

WEEKDAYS = 5
SLOT_MINUTES = 20
VISITS_PER_DAY = 10  # of one provider, out of the day's 22 slots
MOST_COMING_DAYS = 43  # weekdays after today that have visits already: about two months


class NotPossible(ValueError):
    """A size that makes no believable clinic; the message says why."""


@dataclass(frozen=True, slots=True)
class Size:
    """`patients` is of each clinic, as `locations`; `appointments` is of all clinics together."""

    clinics: int
    locations: int
    patients: int
    appointments: int

    def check(self) -> None:
        """Raises NotPossible."""
        if min(self.clinics, self.locations, self.patients) < 1 or self.appointments < 0:
            raise NotPossible("There has to be at least one clinic, location and patient.")
        if self.patients < self.providers * VISITS_PER_DAY:
            raise NotPossible(f"{self.locations} locations need at least {self.providers * VISITS_PER_DAY} patients a clinic.")

    @property
    def providers(self) -> int:
        """Of a clinic: each is at one location a weekday, so five locations need one."""
        return ceil(self.locations / WEEKDAYS)

    @property
    def days(self) -> int:
        """Weekdays with visits, past and coming; about VISITS_PER_DAY for each provider on each of them."""
        return max(WEEKDAYS, ceil(self.appointments / self.clinics / (self.providers * VISITS_PER_DAY)))

    @property
    def coming_days(self) -> int:
        return min(MOST_COMING_DAYS, self.days // WEEKDAYS)

    def appointments_of(self, number: int) -> int:
        """How many the clinic with this number (from 1) gets: the remainder goes to the first ones."""
        each, rest = divmod(self.appointments, self.clinics)
        return each + (number <= rest)
