"""Children against WHO's curves: the edges are those of WHO's own printed tables."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.validators import Age, age_on, interpret
from core.validators.growth import growth_ranges

BORN = date(2015, 1, 1)


def months(number: int) -> Age:
    """That many months after the birth."""
    return age_on(BORN, date(BORN.year + number // 12, 1 + number % 12, 1))


# WHO Child Growth Standards (2006), z-score tables: -3, -2, +2 and +3 standard deviations.
@pytest.mark.parametrize(
    ("measure", "sex", "age", "edges"),
    [
        ("weight_kg", "male", 0, ("2.1", "2.5", "4.4", "5.0")),
        ("weight_kg", "female", 12, ("6.3", "7.0", "11.5", "13.1")),
        ("weight_kg", "male", 11, ("6.8", "7.6", "11.7", "13.0")),
        ("weight_kg", "female", 57, ("11.8", "13.4", "24.1", "28.5")),
        ("height_cm", "male", 12, ("68.6", "71.0", "80.5", "82.9")),
        ("height_cm", "female", 23, ("76.0", "79.2", "91.9", "95.0")),
        ("height_cm", "female", 24, ("76.0", "79.3", "92.2", "95.4")),
        ("height_cm", "male", 59, ("95.6", "100.2", "118.6", "123.2")),
        ("bmi", "female", 8, ("13.0", "14.1", "20.2", "22.2")),
        ("bmi", "male", 40, ("12.3", "13.2", "18.2", "19.9")),
    ],
)
def test_the_normal_range_is_whos(measure: str, sex: str, age: int, edges: tuple[str, ...]) -> None:
    (found,) = growth_ranges(measure, months(age), sex)
    spread = (Decimal(edges[2]) - Decimal(edges[1])) / 4  # about one standard deviation
    for value, edge in (
        (found.critical_low and found.critical_low + Decimal("0.1"), edges[0]),
        (found.low, edges[1]),
        (found.high, edges[2] if measure == "bmi" else None),
    ):
        assert edge is None or value is None or abs(value - Decimal(edge)) <= spread / 5, (value, edge)


@pytest.mark.parametrize(
    ("measure", "sex", "age", "value", "expected"),
    [
        ("weight_kg", "male", 0, "2.4", "L"), ("weight_kg", "male", 0, "2.5", "N"), ("weight_kg", "male", 0, "1.9", "LL"),
        ("weight_kg", "male", 0, "6.0", "N"),  # too much weight is read from the BMI
        ("height_cm", "female", 60, "98.0", "L"), ("height_cm", "female", 60, "109.0", "N"),
        ("height_cm", "female", 60, "94.0", "LL"),
        # The edge moves at five years: overweight above +2 before, above +1 from then on (WHO 2006, 2007).
        ("bmi", "male", 59, "18.0", "N"), ("bmi", "male", 62, "18.0", "H"), ("bmi", "male", 62, "18.8", "HH"),
        # WHO Growth Reference (2007): a girl of ten years, +1 at 19.0, +2 at 22.6; -2 at 13.5, -3 at 12.4.
        ("bmi", "female", 120, "18.9", "N"), ("bmi", "female", 120, "19.5", "H"), ("bmi", "female", 120, "23.0", "HH"),
        ("bmi", "female", 120, "13.3", "L"), ("bmi", "female", 120, "12.2", "LL"),
        # A boy of 18 years: -2 at 161.2 cm.
        ("height_cm", "male", 216, "160.0", "L"), ("height_cm", "male", 216, "176.0", "N"),
        # The same BMI at eighteen is a child's, at nineteen an adult's (WHO TRS 894).
        ("bmi", "male", 227, "25.2", "N"), ("bmi", "male", 228, "25.2", "H"),
    ],
)  # fmt: skip
def test_flags_by_age_and_sex(measure: str, sex: str, age: int, value: str, expected: str) -> None:
    finding = interpret(measure, Decimal(value), age=months(age), sex=sex)
    assert finding is not None and finding.interpretation.value == expected


def test_without_a_known_sex_only_what_both_curves_call_unusual_is_flagged() -> None:
    at_birth = months(0)
    for sex, expected in (("male", "L"), ("female", "N"), ("other", "N")):
        finding = interpret("weight_kg", Decimal("2.4"), age=at_birth, sex=sex)
        assert finding is not None and finding.interpretation.value == expected


def test_every_day_of_childhood_has_a_range_and_no_day_jumps() -> None:
    for measure, until, most in (("height_cm", 19, 8), ("weight_kg", 10, 1), ("bmi", 19, 2)):
        before: Decimal | None = None
        for day in range(0, until * 365, 3):
            (found,) = growth_ranges(measure, age_on(BORN, BORN + timedelta(days=day)), "female")
            assert found.low is not None and found.critical_low is not None and found.critical_low < found.low
            assert before is None or abs(found.low - before) < most, (measure, day)
            before = found.low
    assert not growth_ranges("weight_kg", months(121), "male")
