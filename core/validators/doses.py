"""A dose: an amount and a unit of UCUM (The Unified Code for Units of Measure, 2.1), within what anybody is ever given."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.numbers import clean_number
from core.validators.text import clean_name

PLACES = 6
# What one dose, hour or day of treatment at most has of each kind: a litre-wise infusion, gram-wise charcoal or mannitol, millions
# of units of penicillin. And at least: below a picogram nothing is a dose.
MOST = {"g": Decimal(1000), "L": Decimal(50), "mol": Decimal(5), "eq": Decimal(5), "[iU]": Decimal(10**9), "counted": Decimal(500)}
LEAST = {"g": Decimal("1e-12"), "L": Decimal("1e-9"), "mol": Decimal("1e-12"), "eq": Decimal("1e-12"), "[iU]": Decimal("1e-6")}
PREFIXES = {
    "": Decimal(1), "k": Decimal(1000), "M": Decimal(10**6), "d": Decimal("0.1"), "c": Decimal("0.01"), "m": Decimal("1e-3"),
    "u": Decimal("1e-6"), "n": Decimal("1e-9"), "p": Decimal("1e-12"),
}  # fmt: skip
COUNTED = frozenset(
    {
        "actuation", "ampule", "application", "capsule", "dose", "drop", "lozenge", "patch", "puff", "sachet", "spray",
        "suppository", "tablet", "vial",
    }
)  # fmt: skip
PER = frozenset({"kg", "m2", "h", "min", "d", "wk", "mo", "mL", "L", "{dose}"})
# What people write, and UCUM's word for it.
SPELLINGS = {
    "mcg": "ug", "µg": "ug", "μg": "ug", "ml": "mL", "l": "L", "dl": "dL", "cl": "cL", "ul": "uL", "µL": "uL", "μL": "uL",
    "IU": "[iU]", "iu": "[iU]", "mEq": "meq", "hr": "h", "hour": "h", "day": "d", "m²": "m2",
}  # fmt: skip
MISREAD = frozenset({"U", "u", "cc", "gr", "gtt", "ss", "tsp", "tbsp", "ʒ", "℥"})
MASS_OR_MORE = re.compile(r"(k|M|d|c|m|u|n|p)?(g|L|mol|eq|\[iU\])")
TYPED = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(\S.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dose:
    """`amount` of `unit`: Decimal("0.5") of "mg/kg"."""

    amount: Decimal
    unit: str

    def __str__(self) -> str:
        return f"{self.amount:f} {self.unit}"


def clean_dose(amount: Any, unit: Any) -> Dose:
    """A dose in UCUM. More than none, and not more than anybody is given of that kind of unit (`implausible`)."""
    number, known = clean_number(amount, places=PLACES), clean_dose_unit(unit)
    if number <= 0:
        raise ValidationError(_("A dose is more than none."), code="min_value")
    kind, factor = _kind(known.partition("/")[0])
    if not LEAST.get(kind, Decimal(0)) <= number * factor <= MOST.get(kind, MOST["counted"]):
        raise ValidationError(_("Nobody is given that much or that little. Check the unit."), code="implausible")
    return Dose(number, known)


def clean_dose_text(value: Any) -> Dose:
    """“0.5 mg/kg” as a dose: the amount begins with a digit and has no comma."""
    match = TYPED.fullmatch(clean_name(value, max_length=64, required=True))
    if match is None:
        raise ValidationError(_("Write the dose as an amount and a unit: 0.5 mg."), code="invalid")
    return clean_dose(match[1], match[2])


def clean_dose_unit(value: Any) -> str:
    """UCUM's spelling of the unit; up to two “per”: mg/kg/d. Spellings that are misread (ISMP; MHRA: U, cc) are refused."""
    typed = clean_name(value, max_length=32, required=True)
    first, *per = (part.strip() for part in typed.split("/"))
    if MISREAD.intersection((first, *per)):
        message = _("“%(unit)s” is misread. Write [iU], mL, g or {drop}.")
        raise ValidationError(message, code="ambiguous_unit", params={"unit": typed})
    first, per = _spelled(first), [SPELLINGS.get(part, part) for part in per]
    if _kind_or_none(first) is None or len(per) > 2 or not PER.issuperset(per):
        message = _("This is not a unit of a dose. Use UCUM, such as mg, ug, mL, [iU] or {tablet}.")
        raise ValidationError(message, code="invalid_unit")
    return "/".join((first, *per))


def _spelled(unit: str) -> str:
    unit = SPELLINGS.get(unit, unit)
    for word in (unit.lower(), unit.lower().removesuffix("s")):
        if word in COUNTED:
            return f"{{{word}}}"
    return unit


def _kind_or_none(unit: str) -> tuple[str, Decimal] | None:
    if unit.startswith("{") and unit.endswith("}") and unit[1:-1] in COUNTED:
        return "counted", Decimal(1)
    match = MASS_OR_MORE.fullmatch(unit)
    return (match[2], PREFIXES[match[1] or ""]) if match else None


def _kind(unit: str) -> tuple[str, Decimal]:
    """What is counted, and how many of its base unit one is. The unit is clean."""
    found = _kind_or_none(unit)
    assert found is not None  # noqa: S101
    return found
