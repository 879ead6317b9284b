"""What an address or a half-filled form says, read leniently: whatever is malformed counts as not said."""

from datetime import date, datetime
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime

from appointments.forms import YEARS


def read_uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def read_day(text: str | None) -> date | None:
    """A day of this age, or None: next to the ends of the calendar nothing can be computed."""
    try:
        day = parse_date(text or "")
    except ValueError:
        return None
    return day if day and day.year in YEARS else None


def read_moment(text: str | None) -> datetime | None:
    """An aware moment, or None."""
    try:
        moment = parse_datetime(text or "")
    except ValueError:
        return None
    return moment if moment and moment.tzinfo and moment.year in YEARS else None
