"""ABO group and RhD type, the two that every transfusion asks for (ISBT systems 001 and 004)."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.text import clean_name

BLOOD_TYPES = ("A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-")
UNKNOWN_BLOOD_TYPE = "unknown"
_SIGNS = {"POS": "+", "POSITIVE": "+", "NEG": "-", "NEGATIVE": "-", "−": "-", "–": "-"}
_SHAPE = re.compile(r"(AB|A|B|O|0)\s*(?:RHD?\s*)?(\+|-|−|–|POSITIVE|NEGATIVE|POS|NEG)(?:VE)?")


def clean_blood_type(value: Any) -> str:
    """A+, A-, B+, B-, AB+, AB-, O+, O- or “unknown”. “0 pos” and “AB RhD negative” are read; weak and partial types are not:
    they belong into words.
    """
    typed = clean_name(value, max_length=24, required=True)
    if typed.lower() == UNKNOWN_BLOOD_TYPE:
        return UNKNOWN_BLOOD_TYPE
    match = _SHAPE.fullmatch(typed.upper())
    if match is None:
        known = ", ".join((*BLOOD_TYPES, UNKNOWN_BLOOD_TYPE))
        raise ValidationError(_("Choose one of: %(known)s."), code="invalid_choice", params={"known": known})
    group, sign = match[1].replace("0", "O"), match[2]
    return group + _SIGNS.get(sign, sign)
