"""How a moment is written for people: the same words on pages, in messages and in documents, always in the zone of the place."""

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import get_language

# By the language's first part: day of the week with the date, and the date alone. Others are written as in English.
FORMATS = {
    "en": ("l j F Y", "j F Y"),
    "es": (r"l j \d\e F \d\e Y", r"j \d\e F \d\e Y"),
    "de": ("l, j. F Y", "j. F Y"),
    "fr": ("l j F Y", "j F Y"),
}
SMALL = {"es"}  # languages that write days and months small, where Django's catalogue has them with a capital
TIME = "H:i"


def local_time(moment: datetime, zone: "tzinfo | str") -> datetime:
    """The same moment on the wall clock of the zone (an object, or a name of the IANA database). Raises ValueError for a moment
    without a zone."""
    if moment.tzinfo is None:
        raise ValueError("A moment without a time zone has no place.")
    return moment.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)


def weekday_and_date(moment: datetime, zone: "tzinfo | str") -> str:
    """“Monday 4 May 2026”, in the active language."""
    return _dated(moment, zone, 0)


def date_words(moment: datetime, zone: "tzinfo | str") -> str:
    """“4 May 2026”, in the active language."""
    return _dated(moment, zone, 1)


def time_words(moment: datetime, zone: "tzinfo | str") -> str:
    """“14:30”. In the hour that comes twice when the clocks go back, with the zone's letters, so that it can't be taken for the
    other one: “01:30 GMT”."""
    local = local_time(moment, zone)
    words = date_format(local, TIME)
    return f"{words} {local.tzname()}" if _comes_twice(local) else words


def date_and_time(moment: datetime, zone: "tzinfo | str") -> str:
    """“4 May 2026, 14:30”."""
    return f"{date_words(moment, zone)}, {time_words(moment, zone)}"


def moment_words(moment: datetime, zone: "tzinfo | str") -> str:
    """“Monday 4 May 2026, 14:30”."""
    return f"{weekday_and_date(moment, zone)}, {time_words(moment, zone)}"


def _dated(moment: datetime, zone: "tzinfo | str", which: int) -> str:
    language = (get_language() or "en").partition("-")[0]
    words = date_format(local_time(moment, zone), FORMATS.get(language, FORMATS["en"])[which])
    return words.lower() if language in SMALL else words


def _comes_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
