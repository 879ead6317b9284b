"""The shape of ICD-10 codes. Whether a code stands in a year's tables is the tables' business."""

import re
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.text import clean_name

Edition = Literal["WHO", "CM"]
SHAPES: dict[Edition, re.Pattern[str]] = {
    # ICD-10, 6th edition 2016, volume 2, 2.4: a letter and two digits, a point, a digit; a fifth character in some chapters.
    "WHO": re.compile(r"[A-Z][0-9]{2}(?:\.[0-9]{1,2})?", re.ASCII),
    # ICD-10-CM Official Guidelines, I.A.2: three to seven characters, a letter, a digit, then either; X fills a gap.
    "CM": re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?", re.ASCII),
}


def clean_icd10(value: Any, *, edition: Edition = "WHO") -> str:
    """A code in capitals with its point: “e119” becomes E11.9. Daggers and asterisks are marks of use, not of the code."""
    code = clean_name(value, max_length=10, required=True).upper()
    if "." not in code and len(code) > 3:
        code = f"{code[:3]}.{code[3:]}"
    if not SHAPES[edition].fullmatch(code):
        raise ValidationError(_("Write the diagnosis as an ICD-10 code, such as E11.9."), code="invalid")
    return code
