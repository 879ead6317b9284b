"""One way to write a moment, on the clock of its place."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import translation
from hypothesis import assume, given
from hypothesis import strategies as st

from core import times
from core.messaging.quiet import after_quiet

LONDON = ZoneInfo("Europe/London")


def test_in_words() -> None:
    moment = datetime(2026, 5, 4, 13, 5, tzinfo=UTC)
    assert times.moment_words(moment, "Europe/London") == "Monday 4 May 2026, 14:05"
    assert times.date_words(moment, "Pacific/Auckland") == "5 May 2026"
    with translation.override("es-mx"):
        assert times.weekday_and_date(moment, LONDON) == "lunes 4 de mayo de 2026"


def test_the_hour_that_comes_twice_is_named() -> None:
    assert times.time_words(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), LONDON) == "01:30 BST"
    assert times.time_words(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), LONDON) == "01:30 GMT"
    assert times.time_words(datetime(2026, 10, 25, 2, 30, tzinfo=UTC), LONDON) == "02:30"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError):
        times.time_words(datetime(2026, 5, 4, 13, 5), LONDON)


def test_templates_say_the_same() -> None:
    moment = datetime(2026, 5, 4, 13, 5, tzinfo=UTC)
    page = Template("{% load hms %}{{ m|moment_words:z }}|{{ m|time_words:z }}|{{ m|date_words:z }}|{{ m|weekday_and_date:z }}")
    said = page.render(Context({"m": moment, "z": "Europe/London"}))
    assert said == "Monday 4 May 2026, 14:05|14:05|4 May 2026|Monday 4 May 2026"


# --- Quiet hours ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "moment,quiet,ends",
    [
        ("2026-06-10 12:00", (time(21), time(8)), None),
        ("2026-06-10 21:00", (time(21), time(8)), "2026-06-11 08:00"),
        ("2026-06-11 07:59", (time(21), time(8)), "2026-06-11 08:00"),
        ("2026-06-11 08:00", (time(21), time(8)), None),
        ("2026-06-10 13:30", (time(13), time(14)), "2026-06-10 14:00"),
        ("2026-06-10 13:30", (time(13), None), None),
        ("2026-06-10 13:30", (time(13), time(13)), None),
        ("2026-03-29 00:30", (time(0), time(1, 30)), "2026-03-29 02:30"),  # 01:30 does not exist that night
        ("2026-10-24 23:00", (time(22), time(8)), "2026-10-25 08:00"),
    ],
)
def test_quiet_hours(moment: str, quiet: tuple[time, time | None], ends: str | None) -> None:
    began = datetime.fromisoformat(moment).replace(tzinfo=LONDON)
    wanted = datetime.fromisoformat(ends).replace(tzinfo=LONDON) if ends else began
    assert after_quiet(began.astimezone(UTC), *quiet, LONDON) == wanted.astimezone(UTC)


def minutes(one: time) -> int:
    return one.hour * 60 + one.minute


@given(
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2028, 1, 1), timezones=st.just(UTC)),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
)
def test_it_is_never_earlier_within_a_day_and_quiet_no_more(moment: datetime, quiet_from: time, quiet_until: time) -> None:
    # With less than an hour to talk in, that hour may be the one that a night skips.
    assume(quiet_from == quiet_until or (minutes(quiet_from) - minutes(quiet_until)) % (24 * 60) >= 60)
    ends = after_quiet(moment, quiet_from, quiet_until, LONDON)
    assert moment <= ends <= moment + timedelta(hours=25)
    assert after_quiet(ends, quiet_from, quiet_until, LONDON) - ends <= timedelta(hours=1)  # the hour that comes twice
