"""Height, weight and BMI of children against WHO's curves: the value's distance from the median, as a normal range.

WHO publishes L, M and S for every month; here are the months at which the curves bend, with straight lines between them. The
edges differ from WHO's own tables by less than a fifth of a standard deviation (tests compare them).
"""

from bisect import bisect_right
from decimal import Decimal
from math import exp
from typing import NamedTuple

from core.validators.ages import Age, Bound
from core.validators.growth_tables import GROWTH
from core.validators.ranges import Range

STANDARDS = "WHO Child Growth Standards, 2006"
REFERENCE = "WHO Growth Reference for 5-19 years, 2007"
DAYS_A_MONTH = 30.4375  # as WHO counts


class Bands(NamedTuple):
    """Standard deviations from the median: from where on a value is LL, L, H and HH."""

    critical_low: int
    low: int
    high: int | None
    critical_high: int | None


# WHO 2006 and 2008: below -2 wasted, stunted, underweight, below -3 severely; overweight above +2 (from five years on +1), obese
# above +3 (+2). Too much weight is read from the BMI, and tallness is no illness unless beyond +3.
BANDS: dict[str, tuple[Bands, Bands]] = {
    "height_cm": (Bands(-3, -2, 3, None), Bands(-3, -2, 3, None)),
    "weight_kg": (Bands(-3, -2, None, None), Bands(-3, -2, None, None)),
    "bmi": (Bands(-3, -2, 2, 3), Bands(-3, -2, 1, 2)),
}
BMI_OF_ADULTS = Range(
    "bmi", Decimal("18.5"), Decimal("24.9"), "WHO Technical Report Series 894, 2000; critical: WHO 1995 (below 16), class III (40)",
    Decimal("15.9"), Decimal("40.0"), since=("years", 19),
)  # fmt: skip
FIVE: Bound = ("months", 60)


def growth_ranges(measure: str, age: Age, sex: str) -> list[Range]:
    """The normal range of a child of this age and sex; both sexes' when it is not known. Empty where WHO has none."""
    if measure == "bmi" and BMI_OF_ADULTS.holds(age):
        return [BMI_OF_ADULTS]
    if measure not in BANDS:
        return []
    sexes = [sex] if sex in ("female", "male") else ["female", "male"]
    found = (_range(measure, age, one) for one in sexes)
    return [one for one in found if one is not None]


def _range(measure: str, age: Age, sex: str) -> Range | None:
    lms = _lms(measure, sex, age)
    if lms is None:
        return None
    older = age.reached(FIVE)
    low, high = BANDS[measure][older].low, BANDS[measure][older].high
    least, most = BANDS[measure][older].critical_low, BANDS[measure][older].critical_high
    return Range(
        measure,
        _at(low, lms),
        None if high is None else _at(high, lms),
        REFERENCE if older else STANDARDS,
        _at(least, lms) - Decimal("0.1"),
        None if most is None else _at(most, lms) + Decimal("0.1"),
        since=("months", age.months),
        until=("months", age.months + 1),
        sex=sex,
    )


def _lms(measure: str, sex: str, age: Age) -> tuple[float, float, float] | None:
    """L, M and S at this age, between the two nearest months of the table. None outside of it."""
    rows = GROWTH[measure, sex]
    months = min(age.days / DAYS_A_MONTH, age.months + 1.0)
    place = bisect_right(rows, months, key=lambda row: row[0])
    if place == len(rows):
        return None
    (before, *start), (after, *end) = rows[place - 1], rows[place]
    share = (months - before) / (after - before)
    curve, median, spread = (one + share * (other - one) for one, other in zip(start, end, strict=True))
    return curve, median, spread


def _at(deviations: int, lms: tuple[float, float, float]) -> Decimal:
    """The value so many standard deviations from the median (Cole's LMS method), to a tenth."""
    curve, median, spread = lms
    factor = (1 + curve * spread * deviations) ** (1 / curve) if abs(curve) > 1e-6 else exp(spread * deviations)
    return Decimal(str(round(median * factor, 1)))
