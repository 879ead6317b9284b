"""The rules for a patient's fields: one table for pages, API and services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators import (
    Problems,
    clean_birth_date,
    clean_boolean,
    clean_choice,
    clean_country,
    clean_date,
    clean_email,
    clean_language,
    clean_name,
    clean_phone,
    clean_text,
    clean_time,
)
from patients.choices import BloodType, Channel, ConsentKind, PatientStatus, Sex, TimeOfDay

NOTES_LENGTH = 4000
OLDEST_INSURANCE, LATEST_INSURANCE = date(1990, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True, slots=True)
class ClinicRules:
    """What of the clinic the rules depend on: its country reads phone numbers, `today` is its own day."""

    country: str
    today: date


def _optional(rule: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None or value == "" else rule(value)


def _insured_until(value: Any) -> date:
    day = clean_date(value)
    if not OLDEST_INSURANCE <= day <= LATEST_INSURANCE:
        raise ValidationError(_("Check the year."), code="invalid")
    return day


def _channels(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise ValidationError(_("This must be a list."), code="not_a_list")
    return list(dict.fromkeys(clean_choice(item, choices=Channel.values) for item in value))


def _identifier(value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError as error:
        raise ValidationError(_("This is not an id."), code="invalid") from error


def _status(value: Any) -> str:
    return clean_choice(value, choices=[word for word in PatientStatus.values if word != PatientStatus.MERGED])


Rule = Callable[[Any], Any]
_FIXED: dict[str, Rule] = {
    "given_name": partial(clean_name, max_length=100, required=True),
    "middle_name": partial(clean_name, max_length=100),
    "family_name": partial(clean_name, max_length=100, required=True),
    "preferred_name": partial(clean_name, max_length=100),
    "sex": partial(clean_choice, choices=Sex.values),
    "gender": partial(clean_text, max_length=60),
    "blood_type": partial(clean_choice, choices=BloodType.values),
    "email": clean_email,
    "address_line1": partial(clean_text, max_length=200),
    "address_line2": partial(clean_text, max_length=200),
    "city": partial(clean_text, max_length=100),
    "region": partial(clean_text, max_length=100),
    "postal_code": partial(clean_text, max_length=20),
    "country": clean_country,
    "national_id": partial(clean_name, max_length=64),
    "insurance_provider": partial(clean_text, max_length=120),
    "insurance_policy_number": partial(clean_name, max_length=64),
    "insurance_valid_until": partial(_optional, _insured_until),
    "emergency_name": partial(clean_name, max_length=200),
    "emergency_relationship": partial(clean_text, max_length=60),
    "language": clean_language,
    "needs_interpreter": clean_boolean,
    "reminder_channels": _channels,
    "quiet_from": partial(_optional, clean_time),
    "quiet_until": partial(_optional, clean_time),
    "preferred_provider_id": partial(_optional, _identifier),
    "preferred_time_of_day": partial(clean_choice, choices=TimeOfDay.values),
    "notes": partial(clean_text, max_length=NOTES_LENGTH, multiline=True),
    "status": _status,
}
PHONES = ("phone", "phone_alt", "emergency_phone")
REQUIRED = ("given_name", "family_name", "date_of_birth", "sex")
FIELDS = frozenset({*_FIXED, *PHONES, "date_of_birth"})


def rule_for(field: str, rules: ClinicRules) -> Rule:
    """The rule of one field. KeyError for what is no field of a patient."""
    if field in PHONES:
        return partial(clean_phone, country=rules.country)
    if field == "date_of_birth":
        return partial(clean_birth_date, today=rules.today)
    return _FIXED[field]


def clean_patient(data: Mapping[str, Any], rules: ClinicRules, problems: Problems, *, complete: bool) -> dict[str, Any]:
    """The fields as they are stored; what is wrong goes to `problems`. `complete`: the required fields must be there."""
    cleaned = {}
    for field, value in data.items():
        if field in FIELDS:
            cleaned[field] = problems.check(field, rule_for(field, rules), value)
        else:
            problems.add(field, "unknown_field", _("There is no such field."))
    if complete:
        for field in REQUIRED:
            if field not in data:
                problems.add(field, "required", _("This is needed."))
    if complete or {"quiet_from", "quiet_until"} <= set(data):
        check_quiet_hours(data.get("quiet_from"), data.get("quiet_until"), problems)
    return cleaned


def check_quiet_hours(start: Any, end: Any, problems: Problems) -> None:
    """Both or neither."""
    if (start in (None, "")) != (end in (None, "")):
        problems.add("quiet_until" if start else "quiet_from", "required", _("Quiet hours have a beginning and an end."))


def clean_consents(given: Any, problems: Problems, *, field: str = "consents") -> dict[str, bool]:
    """Consents as kind -> yes or no."""
    if not isinstance(given, Mapping):
        problems.add(field, "invalid", _("This must be an object."))
        return {}
    cleaned = {}
    for kind, value in given.items():
        if kind not in ConsentKind.values:
            problems.add(f"{field}.{kind}", "unknown_field", _("There is no such consent."))
        else:
            cleaned[str(kind)] = problems.check(f"{field}.{kind}", clean_boolean, value)
    return cleaned


def clean_consent_kind(kind: Any, given: Any, problems: Problems) -> tuple[str, bool]:
    """One consent: its kind and the answer."""
    return (
        problems.check("kind", partial(clean_choice, choices=ConsentKind.values), kind),
        problems.check("given", clean_boolean, given),
    )
