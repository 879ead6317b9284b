"""The rules for what can be booked, when providers work, and what is written about visits: one table for every door."""

from collections.abc import Collection
from decimal import Decimal
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from appointments.choices import ExceptionKind, ScreenKind, Tone, Weekday
from clinics.choices import RoomKind
from core.errors import Detail, ValidationFailed
from core.validators import (
    Problems,
    Rule,
    clean_amount,
    clean_boolean,
    clean_choice,
    clean_date,
    clean_name,
    clean_text,
    clean_wall_time,
    clean_whole_number,
    details_of,
    optional,
)
from core.validators.models import RuledModel

NOTES_LENGTH, REASON_LENGTH = 2000, 300
SHORTEST_VISIT, LONGEST_VISIT, LONGEST_BUFFER, LONGEST_SLOT = 5, 720, 240, 240  # minutes
LONGEST_REMINDER = 336  # hours before the visit
HIGHEST_PRICE = Decimal("99999999.99")


def clean_weekday(value: Any) -> int:
    """0 is Monday."""
    if isinstance(value, bool) or value not in Weekday.values:
        raise ValidationError(_("Choose a day of the week."), code="invalid_choice")
    return int(value)


def service_rules() -> dict[str, Rule]:
    minutes = partial(clean_whole_number, least=0, most=LONGEST_BUFFER)
    return {
        "name": partial(clean_name, max_length=120, required=True),
        "description": partial(clean_text, max_length=300, multiline=True),
        "duration_minutes": partial(clean_whole_number, least=SHORTEST_VISIT, most=LONGEST_VISIT),
        "buffer_before_minutes": minutes,
        "buffer_after_minutes": minutes,
        "price_amount": partial(clean_amount, most=HIGHEST_PRICE),
        "tone": partial(clean_choice, choices=Tone.values),
        "room_kind": partial(clean_choice, choices=["", *RoomKind.values]),
        "reminder_hours": partial(clean_whole_number, least=0, most=LONGEST_REMINDER),
        "second_reminder_hours": partial(clean_whole_number, least=0, most=LONGEST_REMINDER),
        "is_active": clean_boolean,
    }


def schedule_rules() -> dict[str, Rule]:
    day = partial(optional, clean_date)
    return {
        "weekday": clean_weekday,
        "start_time": clean_wall_time,
        "end_time": clean_wall_time,
        "slot_minutes": partial(clean_whole_number, least=5, most=LONGEST_SLOT),
        "valid_from": day,
        "valid_until": day,
    }


def exception_rules() -> dict[str, Rule]:
    hour = partial(optional, clean_wall_time)
    return {
        "kind": partial(clean_choice, choices=ExceptionKind.values),
        "first_day": clean_date,
        "last_day": clean_date,
        "start_time": hour,
        "end_time": hour,
        "reason": partial(clean_text, max_length=200, multiline=True),
    }


def holiday_rules() -> dict[str, Rule]:
    return {"day": clean_date, "name": partial(clean_name, max_length=120, required=True)}


def clean_letter(value: Any) -> str:
    """One letter from A to Z; a small one becomes a capital."""
    letter = str(value).strip().upper()
    if len(letter) != 1 or not letter.isascii() or not letter.isalpha():
        raise ValidationError(_("One letter from A to Z."), code="invalid")
    return letter


def place_rules() -> dict[str, Rule]:
    return {"is_active": clean_boolean, "has_chime": clean_boolean, "has_voice": clean_boolean}


def series_rules() -> dict[str, Rule]:
    return {
        "letter": clean_letter,
        "name": partial(clean_name, max_length=60, required=True),
        "takes_walk_ins": clean_boolean,
        "is_active": clean_boolean,
    }


def screen_rules() -> dict[str, Rule]:
    return {
        "kind": partial(clean_choice, choices=ScreenKind.values),
        "name": partial(clean_name, max_length=60, required=True),
    }


def visit_rules() -> dict[str, Rule]:
    """What people write about a visit: its notes, and in its history why something was done."""
    return {
        "notes": partial(clean_text, max_length=NOTES_LENGTH, multiline=True),
        "reason": partial(clean_text, max_length=REASON_LENGTH, multiline=True),
    }


def checked_text(field: str, text: str, wrong: list[Detail]) -> str:
    """The notes or the reason as they are; what is wrong with them is added to `wrong`."""
    problems = Problems()
    problems.check(field, visit_rules()[field], text)
    wrong += problems.details
    return text


def check_model(row: RuledModel, wrong: list[Detail], *, skip: Collection[str] = ()) -> None:
    """Everything the model's rules say about its fields, added to `wrong` by field. No query.

    Rules of the whole row stand in the services, which know the words for them; the table's constraints hold them.
    """
    known = {detail.field for detail in wrong} | set(skip)
    references = {field.name for field in row._meta.local_concrete_fields if field.is_relation}
    try:
        row.full_clean(exclude=known | references, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        wrong += details_of(error)


def raise_if(wrong: list[Detail]) -> None:
    """Raise ValidationFailed with everything that is wrong, if anything is."""
    if wrong:
        raise ValidationFailed(_("Some fields are wrong."), wrong)
