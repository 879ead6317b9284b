"""Numbers, as machines send and people type them."""

import re
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LONGEST_NUMBER, LARGEST_POWER = 32, 18
PLAIN = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?", re.ASCII)


def clean_number(value: Any, *, places: int) -> Decimal:
    """A finite number of at most so many decimal places. Text is digits with a point: a comma could mean thousands, an
    exponent and a bare “.5” are misread (ISMP, List of Error-Prone Abbreviations). True and False are no numbers.
    """
    if value is None:
        raise ValidationError(_("This may not be null."), code="null")
    if value == "":
        raise ValidationError(_("This is needed."), code="required")
    number = _decimal(value)
    if number is None or not number.is_finite():
        raise ValidationError(_("Write a number in digits, with a point for decimals: 36.6."), code="invalid")
    number = number.normalize()
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        raise ValidationError(_("At most %(places)d decimals."), code="max_decimal_places", params={"places": places})
    return number.quantize(Decimal(1)) if number == number.to_integral_value() and number.adjusted() < LARGEST_POWER else number


def clean_whole_number(value: Any, *, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    number = clean_number(value, places=0)
    if number < least:
        raise ValidationError(_("At least %(least)d."), code="min_value", params={"least": least})
    if number > most:
        raise ValidationError(_("At most %(most)d."), code="max_value", params={"most": most})
    return int(number)


def clean_amount(value: Any, *, most: Decimal) -> Decimal:
    """An amount of money from 0 to `most`, with at most two decimals."""
    number = clean_number(value, places=2)
    if number < 0:
        raise ValidationError(_("This is not less than 0."), code="min_value")
    if number > most:
        raise ValidationError(_("At most %(most)s."), code="max_value", params={"most": most})
    return number


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        text = str(value)
        return Decimal(text) if len(text) <= LONGEST_NUMBER else None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER and PLAIN.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None
