"""The script of a day follows from its seed alone."""

import subprocess
import sys
from collections import Counter

from hms.simulation.script import AN_HOUR, HOURS, What, script_of_day

TOLD = """
import hashlib
from hms.simulation.script import script_of_day
print(hashlib.sha256(repr(script_of_day(7, clinics=3)).encode()).hexdigest())
"""


def test_the_same_seed_makes_the_same_script_in_any_process() -> None:
    told = {
        subprocess.run([sys.executable, "-c", TOLD], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert script_of_day(7, clinics=3) == script_of_day(7, clinics=3)
    assert script_of_day(7, clinics=3) != script_of_day(8, clinics=3)


def test_a_clinics_day_does_not_depend_on_the_others() -> None:
    alone = [act for act in script_of_day(7, clinics=1) if act.clinic == 0]
    assert alone == [act for act in script_of_day(7, clinics=5) if act.clinic == 0]


def test_a_day_holds_everything_in_its_order_and_its_hours() -> None:
    script = script_of_day(7, clinics=4)
    assert list(script) == sorted(script)
    assert all(0 <= act.at < HOURS * 3600 for act in script if act.what != What.MISS)
    assert {act.what for act in script} == set(What)
    mornings = Counter(act.at < 2 * 3600 for act in script if act.what in AN_HOUR)
    assert mornings[True] > 0.25 * mornings.total()


def test_expected_visits_are_numbered_once_each() -> None:
    numbers = [act.number for act in script_of_day(7, clinics=1) if act.what in (What.ARRIVE, What.MISS)]
    assert sorted(numbers) == list(range(len(numbers)))
    assert numbers != sorted(numbers), "nobody is early or late"
