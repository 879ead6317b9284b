"""The rules for a patient's fields: one table for pages, API and services."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.validators import (
    Problems,
    Rule,
    clean_birth_date,
    clean_blood_type,
    clean_boolean,
    clean_choice,
    clean_country,
    clean_date_between,
    clean_email,
    clean_fields,
    clean_language,
    clean_name,
    clean_past_date,
    clean_phone,
    clean_text,
    clean_time,
    optional,
)
from patients.choices import CHOSEN_STATUS, AnonymisingKind, Channel, ConsentKind, DocumentCategory, Sex, TimeOfDay

NOTES_LENGTH = 4000
OLDEST_INSURANCE, LATEST_INSURANCE = date(1990, 1, 1), date(2199, 12, 31)
TITLE_LENGTH, REASON_LENGTH = 200, 300
OLDEST_DOCUMENT = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class ClinicRules:
    """What of the clinic the rules depend on: its country reads phone numbers, `today` is its own day."""

    country: str
    today: date


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
    return clean_choice(value, choices=[word for word, _label in CHOSEN_STATUS])


_FIXED: dict[str, Rule] = {
    "given_name": partial(clean_name, max_length=100, required=True),
    "middle_name": partial(clean_name, max_length=100),
    "family_name": partial(clean_name, max_length=100, required=True),
    "preferred_name": partial(clean_name, max_length=100),
    "sex": partial(clean_choice, choices=Sex.values),
    "gender": partial(clean_text, max_length=60),
    "blood_type": clean_blood_type,
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
    "insurance_valid_until": partial(optional, partial(clean_date_between, first=OLDEST_INSURANCE, last=LATEST_INSURANCE)),
    "emergency_name": partial(clean_name, max_length=200),
    "emergency_relationship": partial(clean_text, max_length=60),
    "language": clean_language,
    "needs_interpreter": clean_boolean,
    "reminder_channels": _channels,
    "quiet_from": partial(optional, clean_time),
    "quiet_until": partial(optional, clean_time),
    "preferred_provider_id": partial(optional, _identifier),
    "preferred_time_of_day": partial(clean_choice, choices=TimeOfDay.values),
    "notes": partial(clean_text, max_length=NOTES_LENGTH, multiline=True),
    "status": _status,
}
PHONES = ("phone", "phone_alt", "emergency_phone")
REQUIRED = ("given_name", "family_name", "date_of_birth", "sex")
FIELDS = frozenset({*_FIXED, *PHONES, "date_of_birth"})


def patient_rules(rules: ClinicRules) -> dict[str, Rule]:
    """Every field's rule, for a clinic."""
    phone = partial(clean_phone, country=rules.country)
    return {**_FIXED, **dict.fromkeys(PHONES, phone), "date_of_birth": partial(clean_birth_date, today=rules.today)}


def clean_patient(data: Mapping[str, Any], rules: ClinicRules, problems: Problems, *, complete: bool) -> dict[str, Any]:
    """The fields as they are stored; what is wrong goes to `problems`. `complete`: the required fields must be there."""
    cleaned = clean_fields(data, patient_rules(rules), problems)
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
    rules = consent_rules()
    return problems.check("kind", rules["kind"], kind), problems.check("given", rules["given"], given)


def consent_rules() -> dict[str, Rule]:
    return {"kind": partial(clean_choice, choices=ConsentKind.values), "given": clean_boolean}


def document_rules(rules: ClinicRules) -> dict[str, Rule]:
    """What is said of a document beside its file; each of it may be left out."""
    return {
        "title": partial(clean_name, max_length=TITLE_LENGTH),
        "category": partial(clean_choice, choices=DocumentCategory.values),
        "date": partial(optional, partial(_document_date, today=rules.today)),
        "status_reason": partial(clean_text, max_length=REASON_LENGTH, multiline=True),
    }


def clean_document(data: Mapping[str, Any], rules: ClinicRules, problems: Problems) -> dict[str, Any]:
    """Title, category and date as they are stored; what is wrong goes to `problems`."""
    own = document_rules(rules)
    del own["status_reason"]
    return clean_fields(data, own, problems)


def _document_date(value: Any, *, today: date) -> date:
    return clean_date_between(clean_past_date(value, today=today), first=OLDEST_DOCUMENT, last=today)


def anonymising_rules() -> dict[str, Rule]:
    """What is said when a record is made nobody's."""
    return {
        "kind": partial(clean_choice, choices=AnonymisingKind.values),
        "reason": partial(clean_text, max_length=REASON_LENGTH, required=True, multiline=True),
    }


def restriction_rules() -> dict[str, Rule]:
    """Why a record is restricted, or no longer."""
    return {"reason": partial(clean_text, max_length=REASON_LENGTH, multiline=True)}


def clean_restriction_reason(value: Any) -> str:
    return clean_text(value, max_length=REASON_LENGTH, required=True, multiline=True)


def clean_reason(value: Any) -> str:
    """Why a document is in error."""
    return clean_text(value, max_length=REASON_LENGTH, required=True, multiline=True)
