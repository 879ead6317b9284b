"""The ranges of vital signs and glucose as published, by age and sex where that matters. Data: no rule is written here.

docs/validators.md shows this table; a test compares them.
"""

from decimal import Decimal

from core.validators.ages import Bound
from core.validators.ranges import Range

NEWS2 = "Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017"
PALS = "American Heart Association, Pediatric Advanced Life Support Provider Manual, 2020"
AAP = "Flynn et al., AAP Clinical Practice Guideline, Pediatrics 2017;140(3):e20171904"
ACC_AHA = "Whelton et al., ACC/AHA guideline for high blood pressure in adults, 2017; low: NEWS2"
FEVER = "NICE NG143 (fever in under 5s), 2019; cold: NICE NG51 (sepsis), 2016"
NEWBORN_WARMTH = "WHO, Thermal protection of the newborn, 1997; fever: NICE NG143, 2019"
BTS = "BTS/SIGN 158 (asthma), 2019: severe below 92 %; NICE NG143, 2019: amber at 95 % and below"
CCHD = "Kemper et al., pulse oximetry screening of newborns, Pediatrics 2011;128:e1259"
GLUCOSE = "American Diabetes Association, Standards of Care in Diabetes, 2024; critical: levels 2 and hyperosmolar state"
GLUCOSE_NEWBORN = "WHO, Hypoglycaemia of the newborn, 1997; critical: BAPM framework, 2017; high: MSD Manual"


Ends = tuple[Bound, Bound | None]


def _row(measure: str, ends: Ends, low: str, high: str, critical: tuple[str, str], source: str, sex: str | None = None) -> Range:
    """“-” stands for no limit."""
    numbers = [None if text == "-" else Decimal(text) for text in (low, high, *critical)]
    return Range(measure, numbers[0], numbers[1], source, numbers[2], numbers[3], ends[0], ends[1], sex)


_NEONATE: Ends = (("days", 0), ("days", 28))
_INFANT: Ends = (("days", 28), ("years", 1))
_TODDLER: Ends = (("years", 1), ("years", 3))
_PRESCHOOL: Ends = (("years", 3), ("years", 6))
_SCHOOL: Ends = (("years", 6), ("years", 12))
_TEENAGER: Ends = (("years", 12), ("years", 16))
_GROWN: Ends = (("years", 16), None)  # NEWS2 holds from 16 years on

_HEART = [
    _row("heart_rate_bpm", _NEONATE, "100", "205", ("-", "-"), PALS),
    _row("heart_rate_bpm", _INFANT, "100", "180", ("-", "-"), PALS),
    _row("heart_rate_bpm", _TODDLER, "98", "140", ("-", "-"), PALS),
    _row("heart_rate_bpm", _PRESCHOOL, "80", "120", ("-", "-"), PALS),
    _row("heart_rate_bpm", _SCHOOL, "75", "118", ("-", "-"), PALS),
    _row("heart_rate_bpm", _TEENAGER, "60", "100", ("-", "-"), PALS),
    _row("heart_rate_bpm", _GROWN, "51", "90", ("40", "131"), NEWS2),
]
_BREATH = [
    _row("respiratory_rate_bpm", (("days", 0), ("years", 1)), "30", "53", ("-", "-"), PALS),
    _row("respiratory_rate_bpm", _TODDLER, "22", "37", ("-", "-"), PALS),
    _row("respiratory_rate_bpm", _PRESCHOOL, "20", "28", ("-", "-"), PALS),
    _row("respiratory_rate_bpm", _SCHOOL, "18", "25", ("-", "-"), PALS),
    _row("respiratory_rate_bpm", _TEENAGER, "12", "20", ("-", "-"), PALS),
    _row("respiratory_rate_bpm", _GROWN, "12", "20", ("8", "25"), NEWS2),
]
_WARMTH = [
    _row("temperature_c", _NEONATE, "36.5", "37.5", ("35.9", "38.0"), NEWBORN_WARMTH),
    _row("temperature_c", (("days", 28), ("months", 3)), "36.0", "37.9", ("35.9", "38.0"), FEVER),
    _row("temperature_c", (("months", 3), ("months", 6)), "36.0", "37.9", ("35.9", "39.0"), FEVER),
    _row("temperature_c", (("months", 6), ("years", 16)), "36.0", "37.9", ("35.9", "-"), FEVER),
    _row("temperature_c", _GROWN, "36.1", "38.0", ("35.0", "39.1"), NEWS2),
]
_OXYGEN = [
    _row("spo2_percent", _NEONATE, "95", "-", ("89", "-"), CCHD),
    _row("spo2_percent", (("days", 28), ("years", 16)), "96", "-", ("91", "-"), BTS),
    _row("spo2_percent", _GROWN, "96", "-", ("91", "-"), NEWS2),
]
_SUGAR = [
    _row("glucose_mmol_l", _NEONATE, "2.6", "8.3", ("0.9", "-"), GLUCOSE_NEWBORN),
    _row("glucose_mmol_l", (("days", 28), None), "3.9", "7.7", ("2.9", "33.3"), GLUCOSE),
    _row("fasting_glucose_mmol_l", _NEONATE, "2.6", "8.3", ("0.9", "-"), GLUCOSE_NEWBORN),
    _row("fasting_glucose_mmol_l", (("days", 28), None), "3.9", "5.5", ("2.9", "33.3"), GLUCOSE),
]

# AAP 2017, table 6: the pressure at which a child of that age in years needs a closer look: boys, then girls.
_CHILDREN: dict[int, tuple[int, int, int, int]] = {
    1: (98, 52, 98, 54),
    2: (100, 55, 101, 58),
    3: (101, 58, 102, 60),
    4: (102, 60, 103, 62),
    5: (103, 63, 104, 64),
    6: (105, 66, 105, 67),
    7: (106, 68, 106, 68),
    8: (107, 69, 107, 69),
    9: (107, 70, 108, 71),
    10: (108, 72, 109, 72),
    11: (110, 74, 111, 74),
    12: (113, 75, 114, 75),
}
_LIMIT_OF_SHOCK = 90  # PALS: systolic hypotension from ten years on; 70 + 2 for each year before


def _child(years: int) -> list[Range]:
    """High from the table's value on, critical at 140/90 (stage 2 at any age); critically low by PALS' 70 + 2 x years."""
    ends: Ends = (("years", years), ("years", years + 1))
    boy_systolic, boy_diastolic, girl_systolic, girl_diastolic = _CHILDREN[years]
    shock = min(70 + 2 * years, _LIMIT_OF_SHOCK)
    source = f"{AAP}; low: {PALS}"
    return [
        row
        for sex, systolic, diastolic in (("male", boy_systolic, boy_diastolic), ("female", girl_systolic, girl_diastolic))
        for row in (
            _row("systolic_mmhg", ends, str(shock), str(systolic - 1), (str(shock - 1), "140"), source, sex),
            _row("diastolic_mmhg", ends, "-", str(diastolic - 1), ("-", "90"), source, sex),
        )
    ]


_PRESSURE = [
    _row("systolic_mmhg", _NEONATE, "67", "84", ("59", "-"), PALS),
    _row("systolic_mmhg", _INFANT, "72", "104", ("69", "-"), PALS),
    _row("diastolic_mmhg", _NEONATE, "35", "53", ("-", "-"), PALS),
    _row("diastolic_mmhg", _INFANT, "37", "56", ("-", "-"), PALS),
    *(row for years in _CHILDREN for row in _child(years)),
    _row("systolic_mmhg", (("years", 13), ("years", 16)), "90", "119", ("89", "140"), f"{AAP}; low: {PALS}"),
    _row("diastolic_mmhg", (("years", 13), ("years", 16)), "-", "79", ("-", "90"), AAP),
    _row("systolic_mmhg", _GROWN, "101", "129", ("90", "181"), ACC_AHA),
    _row("diastolic_mmhg", _GROWN, "60", "79", ("-", "121"), f"{ACC_AHA.partition(';')[0]}; low: AHA, below 90/60"),
]

RANGES: tuple[Range, ...] = (*_PRESSURE, *_HEART, *_BREATH, *_WARMTH, *_OXYGEN, *_SUGAR)
