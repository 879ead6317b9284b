"""Codes of standards: countries, languages, currencies, time zones, names in addresses."""

import re
import zoneinfo
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators.text import clean_name

# ISO 3166-1 alpha-2: the regions that have telephones, and those that don't.
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS) - {"AC", "TA", "XK"} | {"AQ", "BV", "GS", "HM", "PN", "TF", "UM"}
LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?")


SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def clean_country(value: Any, *, required: bool = False) -> str:
    """An ISO 3166-1 code of two letters in capitals, or ""."""
    code = clean_name(value, max_length=2, required=required).upper()
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


def clean_currency(value: Any) -> str:
    """An ISO 4217 code of three letters in capitals; by shape."""
    code = clean_name(value, max_length=3, required=True).upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ValidationError(_("Use a currency code of three letters, such as EUR."), code="invalid")
    return code


def clean_time_zone(value: Any, *, required: bool = False) -> str:
    """A name of the IANA time zone database, or ""."""
    name = clean_name(value, max_length=63, required=required)
    if name and name not in zoneinfo.available_timezones():
        raise ValidationError(_("There is no such time zone. Write it like Europe/London."), code="invalid")
    return name


def clean_slug(value: Any) -> str:
    """A label of a host name (RFC 1123): lower case a to z, digits, dashes inside."""
    slug = clean_name(value, max_length=63, required=True).lower()
    if not SLUG.fullmatch(slug):
        raise ValidationError(_("Lower case letters, digits, and dashes between them."), code="invalid")
    return slug
