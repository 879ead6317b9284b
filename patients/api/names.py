"""The contract nests what the model keeps flat: one table for both directions, and for naming wrong fields."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.errors import Detail, ValidationFailed

NESTED: dict[str, dict[str, str]] = {
    "address": {
        "line1": "address_line1",
        "line2": "address_line2",
        "city": "city",
        "region": "region",
        "postal_code": "postal_code",
        "country": "country",
    },
    "insurance": {
        "provider": "insurance_provider",
        "policy_number": "insurance_policy_number",
        "valid_until": "insurance_valid_until",
    },
    "emergency_contact": {"name": "emergency_name", "relationship": "emergency_relationship", "phone": "emergency_phone"},
    "preferences": {
        "reminder_channels": "reminder_channels",
        "provider_id": "preferred_provider_id",
        "time_of_day": "preferred_time_of_day",
    },
}
QUIET_HOURS = {"start": "quiet_from", "end": "quiet_until"}
API_NAMES = {column: f"{group}.{name}" for group, names in NESTED.items() for name, column in names.items()}
API_NAMES |= {column: f"preferences.quiet_hours.{name}" for name, column in QUIET_HOURS.items()}


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """A body's values under the model's names."""
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if name not in NESTED:
            columns[name] = value
            continue
        inner = dict(value)
        for end, hour in inner.pop("quiet_hours", {}).items():
            columns[QUIET_HOURS[end]] = hour
        columns |= {NESTED[name][own]: own_value for own, own_value in inner.items()}
    return columns


def as_sent(details: list[Detail]) -> list[Detail]:
    """Problems under the names of the body."""
    return [Detail(API_NAMES.get(detail.field, detail.field), detail.code, detail.message) for detail in details]


@contextmanager
def named_as_sent() -> Iterator[None]:
    """What a service finds wrong is named as the body names it."""
    try:
        yield
    except ValidationFailed as error:
        raise ValidationFailed(error.message, as_sent(list(error.details)), error.extra) from error
