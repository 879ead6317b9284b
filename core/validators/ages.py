"""How old somebody is on a day, as medicine counts: days for the newborn, months for the infant, then years."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

Unit = Literal["days", "months", "years"]
Bound = tuple[Unit, int]


class AgeGroup(StrEnum):
    """WHO counts a neonate to the 28th day and an infant to the first birthday; ICH E11(R1) children 2-11, adolescents 12-17."""

    NEONATE = "neonate"
    INFANT = "infant"
    CHILD = "child"
    ADOLESCENT = "adolescent"
    ADULT = "adult"


# From which age on a group holds; the first group holds from birth.
GROUPS: tuple[tuple[Bound, AgeGroup], ...] = (
    (("years", 18), AgeGroup.ADULT),
    (("years", 12), AgeGroup.ADOLESCENT),
    (("years", 1), AgeGroup.CHILD),
    (("days", 28), AgeGroup.INFANT),
)


@dataclass(frozen=True, slots=True)
class Age:
    """Whole days, whole months and whole years lived; each counted from the birth date by itself."""

    days: int
    months: int
    years: int

    def reached(self, bound: Bound) -> bool:
        """Is this age at least so many days, months or years?"""
        unit, number = bound
        lived: int = getattr(self, unit)
        return lived >= number

    @property
    def group(self) -> AgeGroup:
        return next((group for bound, group in GROUPS if self.reached(bound)), AgeGroup.NEONATE)


def age_on(born: date, day: date) -> Age:
    """The age on that day. Who was born on the 31st is a month older on the 1st after a shorter month. ValueError before birth."""
    if day < born:
        raise ValueError("not born yet")
    months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
    return Age((day - born).days, months, months // 12)
