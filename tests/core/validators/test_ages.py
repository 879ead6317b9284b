"""Ages at their boundaries: days for the newborn, months for the infant, birthdays after that."""

from datetime import date

import pytest

from core.validators import Age, AgeGroup, age_on, clean_date_between, clean_date_range, clean_past_date
from tests.core.validators.refusals import code_of

BORN = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("day", "age"),
    [
        (date(2024, 2, 29), Age(0, 0, 0)),
        (date(2024, 3, 28), Age(28, 0, 0)),
        (date(2024, 3, 29), Age(29, 1, 0)),
        (date(2025, 2, 28), Age(365, 11, 0)),  # whoever is born on a leap day has a birthday on 1 March of other years
        (date(2025, 3, 1), Age(366, 12, 1)),
        (date(2028, 2, 29), Age(1461, 48, 4)),
    ],
)
def test_days_months_and_years_are_counted_from_the_birth(day: date, age: Age) -> None:
    assert age_on(BORN, day) == age


def test_nobody_has_an_age_before_birth() -> None:
    with pytest.raises(ValueError, match="not born"):
        age_on(BORN, date(2024, 2, 28))


@pytest.mark.parametrize(
    ("born", "day", "group"),
    [
        (date(2026, 1, 1), date(2026, 1, 28), AgeGroup.NEONATE),  # the 28th day of life (WHO)
        (date(2026, 1, 1), date(2026, 1, 29), AgeGroup.INFANT),
        (date(2025, 1, 1), date(2025, 12, 31), AgeGroup.INFANT),
        (date(2025, 1, 1), date(2026, 1, 1), AgeGroup.CHILD),
        (date(2014, 1, 2), date(2026, 1, 1), AgeGroup.CHILD),
        (date(2014, 1, 1), date(2026, 1, 1), AgeGroup.ADOLESCENT),
        (date(2008, 1, 2), date(2026, 1, 1), AgeGroup.ADOLESCENT),
        (date(2008, 1, 1), date(2026, 1, 1), AgeGroup.ADULT),
    ],
)
def test_groups_change_on_the_day(born: date, day: date, group: AgeGroup) -> None:
    assert age_on(born, day).group == group


def test_days_of_what_happened() -> None:
    today, born = date(2026, 3, 1), date(1990, 5, 5)
    assert clean_past_date("2026-03-01", today=today) == today
    assert clean_past_date("1990-05-05", today=today, born=born) == born
    assert code_of(clean_past_date, "2026-03-02", today=today) == "in_future"
    assert code_of(clean_past_date, "1990-05-04", today=today, born=born) == "before_birth"
    assert code_of(clean_past_date, None, today=today) == "null"


def test_days_within_others() -> None:
    ends = {"first": date(2020, 1, 1), "last": date(2020, 12, 31)}
    assert clean_date_between("2020-12-31", **ends) == date(2020, 12, 31)
    assert code_of(clean_date_between, "2021-01-01", **ends) == "out_of_range"
    assert clean_date_range("2020-01-01", "2020-01-01", most_days=0) == (date(2020, 1, 1),) * 2
    assert code_of(clean_date_range, "2020-01-02", "2020-01-01", most_days=9) == "before_start"
    assert code_of(clean_date_range, "2020-01-01", "2020-01-11", most_days=9) == "too_far"
