"""Which backups are kept: sons by the day, fathers by the week, grandfathers by the month, over simulated years."""

from datetime import UTC, datetime, timedelta

import pytest

from core.backup.keeping import Keep, keep_of, moment_of, name_at, outdated

FIRST = datetime(2026, 1, 1, 0, 15, tzinfo=UTC)


def lived_through(days: int, keep: Keep, a_day: int = 1) -> list[str]:
    """Backups every day for so long, each followed by the removal of what may go."""
    there: list[str] = []
    for hours in range(0, days * 24, 24 // a_day):
        there.append(name_at(FIRST + timedelta(hours=hours)))
        gone = outdated(there, keep)
        there = [name for name in there if name not in gone]
    return there


def days_of(names: list[str]) -> list[str]:
    return [f"{moment_of(name):%Y-%m-%d}" for name in sorted(names)]


def test_two_years_leave_days_weeks_and_months() -> None:
    kept = days_of(lived_through(730, Keep(7, 4, 12)))  # until Friday, 2027-12-31
    months = [f"2027-{month:02}" for month in range(1, 12)]
    assert [day for day in kept if day < "2027-12-01"] == [
        "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30", "2027-07-31", "2027-08-31",
        "2027-09-30", "2027-10-31", "2027-11-30",
    ]  # fmt: skip
    assert [day[:7] for day in kept[:11]] == months
    assert [day for day in kept if day > "2027-12-01"] == [
        "2027-12-12", "2027-12-19", "2027-12-25", "2027-12-26", "2027-12-27", "2027-12-28", "2027-12-29", "2027-12-30",
        "2027-12-31",
    ]  # fmt: skip


def test_of_several_a_day_the_newest_stays_once_the_day_is_over() -> None:
    kept = sorted(lived_through(10, Keep(3, 0, 0), a_day=4))
    assert days_of(kept) == ["2026-01-08", "2026-01-09", "2026-01-10"]
    assert all((moment := moment_of(name)) and moment.hour == 18 for name in kept)


def test_after_a_long_pause_the_last_ones_are_still_there() -> None:
    """Days without a backup don't count: nothing goes because time goes by."""
    kept = lived_through(30, Keep(7, 4, 12))
    late = name_at(FIRST + timedelta(days=900))
    assert len(days_of([*kept, late])) - len(outdated([*kept, late], Keep(7, 4, 12))) >= 7


def test_the_newest_never_goes_nor_what_is_no_backup() -> None:
    names = [name_at(FIRST), "hms.dump", "hms-20260101T001500Z.backup", ".unfinished-" + name_at(FIRST), "other-" + name_at(FIRST)]
    assert outdated(names, Keep(1, 0, 0)) == []


def test_two_of_one_second_have_two_names() -> None:
    assert name_at(FIRST) != name_at(FIRST)
    assert moment_of(name_at(FIRST)) == FIRST


@pytest.mark.parametrize("text", ["", "7", "7,4", "0,4,12", "7,-1,12", "a,b,c", "7,4,12,1"])
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError):
        keep_of(text)
