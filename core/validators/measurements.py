"""What is measured at the couch: what no living human has is refused, what is unusual is flagged.

The limits are wide on purpose: a real value must never be refused. They catch a slip of the hand (a weight of 7000 kg).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.ages import Age, Bound
from core.validators.growth import growth_ranges
from core.validators.numbers import clean_number
from core.validators.ranges import Finding, read_against
from core.validators.vital_signs import RANGES

PLACES_READ = 9  # before the limits are asked, so that 1.75 for a height in centimetres is called what it is
MG_DL_A_MMOL_L = Decimal("18.0156")  # glucose weighs 180.156 g a mole (NIST)


@dataclass(frozen=True, slots=True)
class Limits:
    """From `least` to `most`, both possible, with so many decimal `places`. `until`: the limits of who is younger than that."""

    least: str
    most: str
    places: int
    source: str
    until: Bound | None = None

    def hold(self, value: Decimal) -> bool:
        return Decimal(self.least) <= value <= Decimal(self.most)


_CUFF = "ISO 81060-1: cuffs read to 300 mmHg; extremely preterm from 20 (Zubrow et al., J Perinatol 1995;15:470)"
_GUINNESS = "Guinness World Records: newborns from 212 g and 24 cm to 9.98 kg and 71 cm; adults from 54.6 to 272 cm, 635 kg"
# By measure; of those with an age the first whose `until` is not reached holds, without an age the last.
LIMITS: dict[str, tuple[Limits, ...]] = {
    "systolic_mmhg": (Limits("20", "300", 0, _CUFF),),
    "diastolic_mmhg": (Limits("0", "290", 0, f"{_CUFF}; 0 where the sounds never vanish"),),
    "heart_rate_bpm": (Limits("10", "600", 0, "600/min: Chhabra et al., Indian Pacing Electrophysiol J 2012;12:32"),),
    "respiratory_rate_bpm": (Limits("0", "150", 0, "0 in apnoea (NEWS2 scores it); the newborn's fastest stay below 150"),),
    "temperature_c": (
        Limits("10.0", "47.0", 1, "13.7: Gilbert et al., Lancet 2000;355:375; 46.5: Slovis et al., Ann Emerg Med 1982;11:269"),
    ),
    "spo2_percent": (Limits("10", "100", 0, "34 % at 8,400 m: Grocott et al., N Engl J Med 2009;360:140"),),
    "height_cm": (
        Limits("20", "80", 1, _GUINNESS, until=("days", 28)),
        Limits("20", "120", 1, _GUINNESS, until=("years", 1)),
        Limits("30", "180", 1, _GUINNESS, until=("years", 5)),
        Limits("40", "280", 1, _GUINNESS, until=("years", 18)),
        Limits("50", "280", 1, _GUINNESS),
    ),
    "weight_kg": (
        Limits("0.2", "12", 3, _GUINNESS, until=("days", 28)),
        Limits("0.2", "40", 3, _GUINNESS, until=("years", 1)),
        Limits("1", "120", 3, _GUINNESS, until=("years", 5)),
        Limits("2", "650", 3, _GUINNESS),
    ),
    "bmi": (Limits("3", "255", 1, f"{_GUINNESS}; computed from height and weight"),),
    "glucose_mmol_l": (Limits("0.1", "160", 1, "147.6: Guinness World Records, 2008; meters read from 0.6"),),
    "fasting_glucose_mmol_l": (Limits("0.1", "160", 1, "as glucose"),),
}
MEASURES = tuple(LIMITS)


def clean_measurement(measure: str, value: Any, *, age: Age | None = None) -> Decimal:
    """The value in the unit that the measure's name ends with. KeyError for a measure that isn't one.

    Refused (`implausible`) is what nobody of this age can have; without an age what nobody can have at all.
    """
    limits = _limits(measure, age)
    number = clean_number(value, places=PLACES_READ)
    if not any(one.hold(number) for one in limits):
        least, most = min(limits, key=lambda one: Decimal(one.least)), max(limits, key=lambda one: Decimal(one.most))
        params = {"least": least.least, "most": most.most}
        raise ValidationError(_("This can't be: possible is %(least)s to %(most)s."), code="implausible", params=params)
    return clean_number(number, places=limits[0].places)


def clean_blood_pressure(systolic: Any, diastolic: Any) -> tuple[int, int]:
    """Systolic and diastolic pressure in mmHg; the first is the higher one (ISO 81060-2)."""
    higher, lower = clean_measurement("systolic_mmhg", systolic), clean_measurement("diastolic_mmhg", diastolic)
    if higher <= lower:
        raise ValidationError(_("The systolic pressure is above the diastolic one: 120/80."), code="out_of_order")
    return int(higher), int(lower)


def interpret(measure: str, value: Decimal, *, age: Age | None, sex: str = "unknown") -> Finding | None:
    """How a clean value is to be read for somebody of this age and sex. None where nobody published a normal range,
    or the age is not known. No query.
    """
    if age is None:
        return None
    fitting = {None, sex} if sex in ("female", "male") else {None, "female", "male"}
    ranges = [one for one in RANGES if one.measure == measure and one.holds(age) and one.sex in fitting]
    return read_against(value, ranges or growth_ranges(measure, age, sex))


def body_mass_index(*, weight_kg: Decimal, height_cm: Decimal) -> Decimal:
    """Weight over the height's square, to a tenth (WHO Technical Report Series 894)."""
    metres = height_cm / 100
    return (weight_kg / (metres * metres)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def glucose_from_mg_dl(value: Any) -> Decimal:
    """Milligrams a decilitre as millimoles a litre, to a tenth."""
    number = clean_number(value, places=1)
    return clean_measurement("glucose_mmol_l", (number / MG_DL_A_MMOL_L).quantize(Decimal("0.1"), ROUND_HALF_UP))


def glucose_in_mg_dl(mmol_l: Decimal) -> int:
    """Millimoles a litre as whole milligrams a decilitre."""
    return int((mmol_l * MG_DL_A_MMOL_L).quantize(Decimal(1), ROUND_HALF_UP))


def _limits(measure: str, age: Age | None) -> tuple[Limits, ...]:
    known = LIMITS[measure]
    if age is None:
        return known
    return (next(one for one in known if one.until is None or not age.reached(one.until)),)
