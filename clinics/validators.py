"""The rules for what a clinic consists of: one table for pages, API, admin and services."""

import zoneinfo
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clinics.choices import ProviderKind, RoomKind
from core.validators import Problems, clean_boolean, clean_choice, clean_name, clean_phone, clean_text

Rule = Callable[[Any], Any]
LONGEST_WARNING, LONGEST_LATE = 240, 480  # minutes


def clean_time_zone(value: Any) -> str:
    """A name of the IANA time zone database, or "" for the clinic's own."""
    name = clean_name(value, max_length=63)
    if name and name not in zoneinfo.available_timezones():
        raise ValidationError(_("There is no such time zone. Write it like Europe/London."), code="invalid")
    return name


def clean_minutes(value: Any, *, most: int) -> int:
    """Whole minutes from 1 to `most`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValidationError(_("This must be a whole number."), code="invalid")
    if not 1 <= value <= most:
        raise ValidationError(_("From 1 to %(most)d minutes."), code="out_of_range", params={"most": most})
    return value


def location_rules(country: str) -> dict[str, Rule]:
    return {
        "name": partial(clean_name, max_length=120, required=True),
        "address": partial(clean_text, max_length=300, multiline=True),
        "phone": partial(clean_phone, country=country),
        "time_zone": clean_time_zone,
        "is_active": clean_boolean,
    }


def department_rules(country: str) -> dict[str, Rule]:
    return {"name": partial(clean_name, max_length=120, required=True), "is_active": clean_boolean}


def room_rules(country: str) -> dict[str, Rule]:
    return {
        "name": partial(clean_name, max_length=60, required=True),
        "kind": partial(clean_choice, choices=RoomKind.values),
        "is_active": clean_boolean,
    }


def provider_rules(country: str) -> dict[str, Rule]:
    return {
        "name": partial(clean_name, max_length=120, required=True),
        "kind": partial(clean_choice, choices=ProviderKind.values),
        "is_active": clean_boolean,
    }


def settings_rules(country: str) -> dict[str, Rule]:
    return {
        "wait_warn_minutes": partial(clean_minutes, most=LONGEST_WARNING),
        "wait_late_minutes": partial(clean_minutes, most=LONGEST_LATE),
    }


def clean_fields(data: Mapping[str, Any], rules: Mapping[str, Rule], problems: Problems) -> dict[str, Any]:
    """The fields as they are stored; what is wrong, unknown fields too, goes to `problems`."""
    cleaned = {}
    for field, value in data.items():
        if field in rules:
            cleaned[field] = problems.check(field, rules[field], value)
        else:
            problems.add(field, "unknown_field", _("There is no such field."))
    return cleaned
