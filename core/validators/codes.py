"""Codes of standards: countries and languages."""

import re
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.text import clean_name

# ISO 3166-1 alpha-2: the regions that have telephones, and those that don't.
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS) - {"AC", "TA", "XK"} | {"AQ", "BV", "GS", "HM", "PN", "TF", "UM"}
LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?")


def clean_country(value: Any) -> str:
    """An ISO 3166-1 code of two letters in capitals, or ""."""
    code = clean_name(value, max_length=2).upper()
    if code and code not in COUNTRIES:
        raise ValidationError(_("Use a country code of two letters, such as GB."), code="invalid")
    return code


def clean_language(value: Any) -> str:
    """A BCP 47 tag of language, script and region in its usual spelling (pt-BR, zh-Hant-TW), or ""."""
    tag = clean_name(value, max_length=16)
    if not tag:
        return ""
    match = LANGUAGE.fullmatch(tag)
    if match is None:
        raise ValidationError(_("Use a language tag, such as es or pt-BR."), code="invalid")
    language, script, region = match.groups(default="")
    return "-".join(part for part in (language.lower(), script.title(), region.upper()) if part)
