"""Dates and times of day, from a machine's text or from a form."""

from datetime import date, datetime, time
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

OLDEST_YEARS = 130


def clean_date(value: Any) -> date:
    """A day: a `date`, or text as YYYY-MM-DD."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if value is None:
        raise ValidationError(_("This may not be null."), code="null")
    try:
        if not (isinstance(value, str) and len(value) == 10 and value.isascii()):
            raise ValueError(value)
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValidationError(_("Write the date as YYYY-MM-DD."), code="invalid") from error


def clean_birth_date(value: Any, *, today: date) -> date:
    """A date of birth: not after `today` (the clinic's day), not over 130 years before it."""
    born = clean_date(value)
    if born > today:
        raise ValidationError(_("A date of birth cannot be in the future."), code="in_future")
    if born.year < today.year - OLDEST_YEARS:
        raise ValidationError(_("A date of birth is at most 130 years ago."), code="too_long_ago")
    return born


def clean_date_between(value: Any, *, first: date, last: date) -> date:
    """A day from `first` to `last`, both included."""
    day = clean_date(value)
    if not first <= day <= last:
        raise ValidationError(_("Check the year."), code="out_of_range")
    return day


def clean_past_date(value: Any, *, today: date, born: date | None = None) -> date:
    """The day of something that happened: not after `today`, and not before the birth if that is known."""
    day = clean_date(value)
    if day > today:
        raise ValidationError(_("This day has not come yet."), code="in_future")
    if born is not None and day < born:
        raise ValidationError(_("This is before the date of birth."), code="before_birth")
    return day


def clean_date_range(first: Any, last: Any, *, most_days: int) -> tuple[date, date]:
    """First and last day in order, at most `most_days` apart."""
    begins, ends = clean_date(first), clean_date(last)
    if ends < begins:
        raise ValidationError(_("This is before the first day."), code="before_start")
    if (ends - begins).days > most_days:
        raise ValidationError(_("This is more than %(most)d days later."), code="too_far", params={"most": most_days})
    return begins, ends


def clean_wall_time(value: Any) -> time:
    """A time of the clock on the wall: whole minutes."""
    hour = clean_time(value)
    if hour.second or hour.microsecond:
        raise ValidationError(_("Whole minutes of wall-clock time, such as 08:30."), code="invalid")
    return hour


def clean_time(value: Any) -> time:
    """A time of day without a zone: a `time`, or text as HH:MM or HH:MM:SS."""
    if value is None:
        raise ValidationError(_("This may not be null."), code="null")
    try:
        parsed = value if isinstance(value, time) else time.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is not None:
        raise ValidationError(_("Write the time as HH:MM."), code="invalid")
    return parsed
