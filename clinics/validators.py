"""The rules for what a clinic consists of: one table for models, pages, API, admin and services."""

from functools import partial

from clinics.choices import ProviderKind, RoomKind
from core.validators import (
    Rule,
    clean_boolean,
    clean_choice,
    clean_email,
    clean_name,
    clean_phone,
    clean_text,
    clean_time_zone,
    clean_whole_number,
    optional,
)

LONGEST_WARNING, LONGEST_LATE = 240, 480  # minutes
LONGEST_RETENTION = 100  # years


def location_rules(country: str) -> dict[str, Rule]:
    """`country` (ISO 3166-1) reads phone numbers written without a plus."""
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
        "wait_warn_minutes": partial(clean_whole_number, least=1, most=LONGEST_WARNING),
        "wait_late_minutes": partial(clean_whole_number, least=1, most=LONGEST_LATE),
        "retention_years": partial(optional, partial(clean_whole_number, least=1, most=LONGEST_RETENTION)),
    }


def invitation_rules(country: str) -> dict[str, Rule]:
    return {"email": partial(clean_email, required=True), "full_name": partial(clean_name, max_length=200)}
