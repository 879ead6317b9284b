"""Vital signs: what no living human has is refused, what the published ranges call unusual is flagged. Cases by their source."""

from decimal import Decimal
from typing import Any

import pytest

from core.validators import (
    Age,
    body_mass_index,
    clean_blood_pressure,
    clean_measurement,
    glucose_from_mg_dl,
    glucose_in_mg_dl,
    interpret,
)
from core.validators.measurements import LIMITS, MEASURES
from core.validators.vital_signs import RANGES
from tests.core.validators.refusals import code_of

ADULT, TEENAGER, FIVE = Age(14_610, 480, 40), Age(5_113, 168, 14), Age(1_900, 62, 5)
NEWBORN, MONTH_OLD, FOUR_MONTHS, HALF_YEAR = Age(3, 0, 0), Age(40, 1, 0), Age(125, 4, 0), Age(190, 6, 0)


def flag(measure: str, value: Any, age: Age, sex: str = "unknown") -> str | None:
    finding = interpret(measure, Decimal(str(value)), age=age, sex=sex)
    return finding and finding.interpretation.value


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_no_number_is_refused(measure: str) -> None:
    for value in (True, "x", "1e2", ".5", "1,000", "٣", float("nan"), float("inf"), [80], {}, "9" * 40, "--5"):
        assert code_of(clean_measurement, measure, value) == "invalid", value
    assert code_of(clean_measurement, measure, None) == "null"
    assert code_of(clean_measurement, measure, "") == "required"
    assert code_of(clean_measurement, measure, "40.123456") == "max_decimal_places"


@pytest.mark.parametrize("measure", MEASURES)
def test_the_limits_themselves_are_possible_and_beyond_them_nothing(measure: str) -> None:
    for limits in LIMITS[measure]:
        step = Decimal(1).scaleb(-limits.places)
        least, most = min(map(Decimal, (limits.least, limits.most))), max(map(Decimal, (limits.least, limits.most)))
        assert limits.hold(least) and limits.hold(most)
        assert not limits.hold(least - step) and not limits.hold(most + step)
    for value in (-1, 100_000, 10**30, Decimal("1E+999999")):
        assert code_of(clean_measurement, measure, value) == "implausible"


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("temperature_c", "13.7"),  # Gilbert et al., Lancet 2000;355:375
        ("temperature_c", 46.5),  # Slovis et al., Ann Emerg Med 1982;11:269
        ("spo2_percent", 34),  # Grocott et al., N Engl J Med 2009;360:140
        ("heart_rate_bpm", 600),  # Chhabra et al., Indian Pacing Electrophysiol J 2012;12:32
        ("height_cm", 272),  # Robert Wadlow
        ("weight_kg", "0.212"),  # Kwek Yu Xuan, 2020
        ("weight_kg", 635),  # Jon Brower Minnoch
        ("glucose_mmol_l", 147.6),  # Guinness World Records, 2008
    ],
)
def test_what_somebody_lived_with_is_never_refused(measure: str, value: Any) -> None:
    assert clean_measurement(measure, value) == Decimal(str(value))


@pytest.mark.parametrize(
    ("measure", "value", "age", "code"),
    [
        ("weight_kg", 70, NEWBORN, "implausible"),  # the mother's
        ("weight_kg", 70, ADULT, "accepted"),
        ("height_cm", 1.75, ADULT, "implausible"),  # metres
        ("height_cm", 175, FIVE, "accepted"),
        ("temperature_c", 98.6, ADULT, "implausible"),  # Fahrenheit
        ("spo2_percent", 101, ADULT, "implausible"),
        ("glucose_mmol_l", 180, ADULT, "implausible"),  # mg/dl
        ("heart_rate_bpm", 72.5, ADULT, "max_decimal_places"),
    ],
)
def test_slips_of_the_hand_are_caught_by_age(measure: str, value: Any, age: Age, code: str) -> None:
    assert code_of(clean_measurement, measure, value, age=age) == code


def test_systolic_pressure_is_above_diastolic() -> None:
    assert clean_blood_pressure("120", 80) == (120, 80)
    assert clean_blood_pressure(110, 0) == (110, 0)
    for systolic, diastolic in ((80, 120), (90, 90)):
        assert code_of(clean_blood_pressure, systolic, diastolic) == "out_of_order"
    assert code_of(clean_blood_pressure, 1200, 80) == "implausible"


# NEWS2 (Royal College of Physicians, 2017), chart 1: bands that score 3 are critical, those that score 0 are normal.
@pytest.mark.parametrize(
    ("measure", "value", "expected"),
    [
        ("respiratory_rate_bpm", 8, "LL"), ("respiratory_rate_bpm", 9, "L"), ("respiratory_rate_bpm", 11, "L"),
        ("respiratory_rate_bpm", 12, "N"), ("respiratory_rate_bpm", 20, "N"), ("respiratory_rate_bpm", 21, "H"),
        ("respiratory_rate_bpm", 24, "H"), ("respiratory_rate_bpm", 25, "HH"),
        ("spo2_percent", 91, "LL"), ("spo2_percent", 92, "L"), ("spo2_percent", 95, "L"), ("spo2_percent", 96, "N"),
        ("spo2_percent", 100, "N"),
        ("heart_rate_bpm", 40, "LL"), ("heart_rate_bpm", 41, "L"), ("heart_rate_bpm", 50, "L"), ("heart_rate_bpm", 51, "N"),
        ("heart_rate_bpm", 90, "N"), ("heart_rate_bpm", 91, "H"), ("heart_rate_bpm", 130, "H"), ("heart_rate_bpm", 131, "HH"),
        ("temperature_c", "35.0", "LL"), ("temperature_c", "35.1", "L"), ("temperature_c", "36.0", "L"),
        ("temperature_c", "36.1", "N"), ("temperature_c", "38.0", "N"), ("temperature_c", "38.1", "H"),
        ("temperature_c", "39.0", "H"), ("temperature_c", "39.1", "HH"),
        ("systolic_mmhg", 90, "LL"), ("systolic_mmhg", 100, "L"), ("systolic_mmhg", 101, "N"),
        # ACC/AHA 2017: stage 1 from 130/80, crisis above 180/120.
        ("systolic_mmhg", 129, "N"), ("systolic_mmhg", 130, "H"), ("systolic_mmhg", 180, "H"), ("systolic_mmhg", 181, "HH"),
        ("diastolic_mmhg", 59, "L"), ("diastolic_mmhg", 79, "N"), ("diastolic_mmhg", 80, "H"), ("diastolic_mmhg", 121, "HH"),
        # ADA Standards of Care 2024: levels 1 and 2 of hypoglycaemia, 7.8 two hours after glucose, 5.6 fasting.
        ("glucose_mmol_l", "2.9", "LL"), ("glucose_mmol_l", "3.0", "L"), ("glucose_mmol_l", "3.8", "L"),
        ("glucose_mmol_l", "3.9", "N"), ("glucose_mmol_l", "7.7", "N"), ("glucose_mmol_l", "7.8", "H"),
        ("glucose_mmol_l", "33.3", "HH"), ("fasting_glucose_mmol_l", "5.5", "N"), ("fasting_glucose_mmol_l", "5.6", "H"),
        # WHO TRS 894: underweight below 18.5, overweight from 25, class III from 40; severe thinness below 16.
        ("bmi", "15.9", "LL"), ("bmi", "18.4", "L"), ("bmi", "18.5", "N"), ("bmi", "24.9", "N"), ("bmi", "25.0", "H"),
        ("bmi", "40.0", "HH"),
    ],
)  # fmt: skip
def test_adults_are_flagged_at_the_published_edges(measure: str, value: Any, expected: str) -> None:
    assert flag(measure, value, ADULT) == expected


@pytest.mark.parametrize(
    ("measure", "value", "age", "expected"),
    [
        # PALS 2020: the same pulse is normal for a newborn and critical for a grown-up.
        ("heart_rate_bpm", 140, NEWBORN, "N"), ("heart_rate_bpm", 140, FIVE, "H"), ("heart_rate_bpm", 140, ADULT, "HH"),
        ("respiratory_rate_bpm", 40, HALF_YEAR, "N"), ("respiratory_rate_bpm", 40, FIVE, "H"),
        ("systolic_mmhg", 59, NEWBORN, "LL"), ("systolic_mmhg", 69, HALF_YEAR, "LL"), ("systolic_mmhg", 79, FIVE, "LL"),
        # NICE NG143: 38 °C under three months, 39 °C from three to six months.
        ("temperature_c", "38.0", MONTH_OLD, "HH"), ("temperature_c", "38.0", FOUR_MONTHS, "H"),
        ("temperature_c", "39.0", FOUR_MONTHS, "HH"), ("temperature_c", "39.0", HALF_YEAR, "H"),
        # WHO 1997: a newborn is cold below 36.5 and in danger below 36.
        ("temperature_c", "36.4", NEWBORN, "L"), ("temperature_c", "35.9", NEWBORN, "LL"), ("temperature_c", "36.4", FIVE, "N"),
        # Kemper et al. 2011: a newborn fails below 90 %; BTS/SIGN 158: a child below 92 % is severely ill.
        ("spo2_percent", 95, NEWBORN, "N"), ("spo2_percent", 89, NEWBORN, "LL"), ("spo2_percent", 91, FIVE, "LL"),
        # WHO 1997, BAPM 2017: the newborn's glucose.
        ("glucose_mmol_l", "2.6", NEWBORN, "N"), ("glucose_mmol_l", "2.6", FIVE, "LL"), ("glucose_mmol_l", "0.9", NEWBORN, "LL"),
        # AAP 2017, from 13 years on as for adults: 120/80.
        ("systolic_mmhg", 119, TEENAGER, "N"), ("systolic_mmhg", 120, TEENAGER, "H"), ("systolic_mmhg", 140, TEENAGER, "HH"),
    ],
)  # fmt: skip
def test_children_have_ranges_of_their_own(measure: str, value: Any, age: Age, expected: str) -> None:
    assert flag(measure, value, age) == expected


def test_a_childs_pressure_depends_on_sex_and_the_milder_reading_holds_when_it_is_not_known() -> None:
    """AAP 2017, table 6: at two years a closer look from 100 mmHg for a boy, from 101 for a girl."""
    two = Age(800, 26, 2)
    assert (flag("systolic_mmhg", 100, two, "male"), flag("systolic_mmhg", 100, two, "female")) == ("H", "N")
    assert flag("systolic_mmhg", 100, two, "other") == "N"
    assert flag("systolic_mmhg", 101, two, "unknown") == "H"


def test_no_flag_without_an_age_or_a_published_range() -> None:
    assert interpret("heart_rate_bpm", Decimal(200), age=None) is None
    assert interpret("height_cm", Decimal(150), age=ADULT) is None


def test_every_age_has_exactly_one_range_of_each_sign_for_each_sex() -> None:
    ages = [Age(day, day * 12 // 365, day // 365) for day in (*range(0, 400), *range(400, 43_000, 91))]
    for measure in {one.measure for one in RANGES}:
        for age in ages:
            for sex in ("female", "male"):
                held = [one for one in RANGES if one.measure == measure and one.holds(age) and one.sex in (None, sex)]
                assert len(held) == 1, (measure, age, sex)


def test_every_range_is_in_order_and_says_where_it_is_from() -> None:
    for one in RANGES:
        edges = [edge for edge in (one.critical_low, one.low, one.high, one.critical_high) if edge is not None]
        assert edges == sorted(edges), one
        assert any(digit.isdigit() for digit in one.source), one


def test_body_mass_index_and_the_two_units_of_glucose() -> None:
    assert body_mass_index(weight_kg=Decimal(70), height_cm=Decimal(175)) == Decimal("22.9")
    # WHO/IDF 2006 and ADA give both units side by side.
    for mg_dl, mmol_l in ((54, "3.0"), (70, "3.9"), (100, "5.6"), (126, "7.0"), (140, "7.8"), (200, "11.1"), (600, "33.3")):
        assert glucose_from_mg_dl(mg_dl) == Decimal(mmol_l)
    assert glucose_in_mg_dl(Decimal("11.1")) == 200
    assert code_of(glucose_from_mg_dl, 99_999) == "implausible"
