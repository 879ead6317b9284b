"""Doses: UCUM units as they are written, spellings that are misread, amounts nobody is given."""

from decimal import Decimal
from typing import Any

import pytest

from core.validators import Dose, clean_dose, clean_dose_text, clean_dose_unit
from tests.core.validators.refusals import code_of


# British National Formulary's and FDA labels' doses, in UCUM.
@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("500 mg", "500", "mg"), ("0.5mg", "0.5", "mg"), ("62.5 mcg", "62.5", "ug"), ("100 µg", "100", "ug"), ("1 g", "1", "g"),
        ("15 mg/kg", "15", "mg/kg"), ("0.1 ug/kg/min", "0.1", "ug/kg/min"), ("75 mg/m2", "75", "mg/m2"),
        ("1 tablet", "1", "{tablet}"),
        ("2 puffs", "2", "{puff}"), ("10 mL", "10", "mL"), ("5 ml", "5", "mL"), ("1 L", "1", "L"), ("10 IU", "10", "[iU]"),
        ("1200000 [iU]", "1200000", "[iU]"), ("20 mmol", "20", "mmol"), ("40 mEq", "40", "meq"), ("100 mL/h", "100", "mL/h"),
        ("50 g", "50", "g"), ("4 L", "4", "L"), ("3 drops", "3", "{drop}"),
    ],
)  # fmt: skip
def test_doses_as_they_are_written(text: str, amount: str, unit: str) -> None:
    assert clean_dose_text(text) == Dose(Decimal(amount), unit)


@pytest.mark.parametrize(
    ("amount", "unit", "code"),
    [
        (10, "U", "ambiguous_unit"), (10, "u", "ambiguous_unit"), (5, "cc", "ambiguous_unit"), (1, "tsp", "ambiguous_unit"),
        (1, "gr", "ambiguous_unit"), (5, "mg/gtt", "ambiguous_unit"),
        (5, "", "required"), (5, "milligram", "invalid_unit"), (5, "mg/", "invalid_unit"), (5, "kgg", "invalid_unit"),
        (5, "mg/kg/d/h", "invalid_unit"), (5, "mg/mg", "invalid_unit"), (5, "Mg.", "invalid_unit"), (5, "{wish}", "invalid_unit"),
        (0, "mg", "min_value"), (-5, "mg", "min_value"), (None, "mg", "null"), (True, "mg", "invalid"), ("1,000", "mg", "invalid"),
        (".5", "mg", "invalid"), ("1e3", "mg", "invalid"), ("0.1234567", "mg", "max_decimal_places"),
        (2000, "g", "implausible"), (100, "L", "implausible"), (1000, "{tablet}", "implausible"), ("0.000001", "pg", "implausible"),
    ],
)  # fmt: skip
def test_what_is_no_dose(amount: Any, unit: str, code: str) -> None:
    assert code_of(clean_dose, amount, unit) == code


@pytest.mark.parametrize("text", ["mg 5", "5", "five mg", ".5 mg", "5,0 mg", "1-2 tablets", ""])
def test_text_that_is_no_dose(text: str) -> None:
    assert code_of(clean_dose_text, text) in ("invalid", "required", "invalid_unit")


def test_units_are_kept_in_ucums_spelling() -> None:
    assert [clean_dose_unit(unit) for unit in ("ml", "MCG".lower(), "IU", "Tablets", "mg/day", "mg/m²")] == [
        "mL", "ug", "[iU]", "{tablet}", "mg/d", "mg/m2",
    ]  # fmt: skip
    assert str(clean_dose("0.50", "mg")) == "0.5 mg"
