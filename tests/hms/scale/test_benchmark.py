"""`manage.py benchmark` on a small database: it measures what it says, and says when something was not measured or not met."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from core.database.optimizer import optimizer
from hms.scale.figures import Figures, figures_of, percentile
from hms.scale.floors import FLOORS
from hms.scale.goals import REFERENCE, goals_of
from hms.scale.over_http import lists
from hms.scale.report import report
from hms.scale.run import Run, compared
from hms.scale.scenarios import SCENARIOS
from tests.factories.server import _run, collect_static_files

pytestmark = [pytest.mark.xdist_group("scale"), pytest.mark.thorough]
WANTED = [
    "patients.list",
    "patients.register",
    "patients list, un",
    "search: two words",
    "Today page, cached, one",
    "book",
    "pages",
]
SCENARIOS_WANTED = {
    "patients list, uncached",
    "patients list, unchanged (304)",
    "patient search: two words",
    "Today page, cached, one client",
    "book at 50 a second",
    "book at 50 a second, the first 0.3 s",
}


@pytest.fixture(scope="module")
def run(scale: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a short run found, as it is kept."""
    collect_static_files(dict(os.environ))
    kept = tmp_path_factory.mktemp("benchmark") / "run.json"
    options = ["--database", scale, "--against", scale, "--seconds", "0.3", "--output", str(kept), "--operation", *WANTED]
    printed = _run([sys.executable, "manage.py", "benchmark", *options], dict(os.environ))
    assert "| goal | wanted | found |" in printed
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def test_an_operation_is_measured_cold_and_warm_against_its_floor(run: dict[str, Any]) -> None:
    listed = run["operations"]["patients.list"]
    assert (listed["warm"]["statements"], listed["warm"]["rows"]) == (1, 26)
    assert listed["floor"]["rows"] == 26
    for kind in ("cold", "warm", "floor"):
        assert 0 < listed[kind]["p50"] <= listed[kind]["p99"]
    assert set(run["growth"]) == set(run["operations"])


def test_what_an_operation_writes_is_not_kept(run: dict[str, Any], scale: str) -> None:
    from tests.hms.scale.test_seeding import inside

    assert run["operations"]["patients.register"]["warm"]["count"] > 0
    inside(scale, nobody_new_but_by_http)


def nobody_new_but_by_http() -> None:
    from patients.models import Patient
    from tests.hms.scale.test_seeding import each_clinic

    for _ in each_clinic():
        assert Patient.objects.count() == 120


def test_requests_are_answered_as_they_should_be(run: dict[str, Any]) -> None:
    assert set(run["http"]) == SCENARIOS_WANTED
    for name, figures in run["http"].items():
        # a patient may have another visit at the time the benchmark picked: a refusal is a good answer too
        expected = {"201", "409"} if "book" in name else {"200", "304"} if "304" in name else {"200"}
        assert set(figures["statuses"]) <= expected, name
        assert figures["per_second"] > 0 and figures["plain_per_second"] > 0
    assert run["http"]["patients list, unchanged (304)"]["statuses"]["304"] > 1
    booked = run["http"]["book at 50 a second"]["statuses"]
    assert booked["201"] > booked.get("409", 0)
    assert run["http"]["patients list, uncached"]["bytes"] > 5_000
    assert set(run["plain"]["statuses"]) == {"200"}


def test_first_and_last_pages_are_compared_for_every_list_of_more_than_one(run: dict[str, Any]) -> None:
    assert {"api/v2/patients", "api/v2/appointments"} <= set(run["pages"]) <= set(lists())


def test_every_page_list_of_the_api_is_known() -> None:
    assert {"api/v2/patients", "api/v2/appointments", "api/v2/locations", "api/v2/services"} <= set(lists())


def test_the_yardstick_is_no_address_of_hms() -> None:
    assert Client().get("/plain").status_code == 404
    assert "yardstick" not in str(get_resolver().url_patterns)


def test_each_floor_belongs_to_an_operation() -> None:
    assert set(FLOORS) <= set(optimizer.names())


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.5) == 0
    assert [percentile([1, 2, 3, 4], share) for share in (0, 0.5, 0.99, 1)] == [1, 3, 4, 4]
    assert figures_of([3, 1, 2]).p50 == 2


def test_a_goal_is_met_only_by_good_answers() -> None:
    name = "patients list, uncached"
    for statuses, per_second, met in (({200: 9}, 500, True), ({200: 9}, 100, False), ({200: 9, 503: 1}, 500, False)):
        run = Run("x", http={name: Figures(9, 1, 1, per_second=per_second, statuses=statuses)})
        assert {goal.met for goal in goals_of(run) if goal.name == name and goal.wanted.endswith("/s")} == {met}


@pytest.mark.parametrize(
    ("plain", "p50", "statuses", "verdict"),
    [
        (REFERENCE, 59, {200: 9}, "met"), (REFERENCE, 61, {200: 9}, "**not met**"), (3 * REFERENCE, 61, {200: 9}, "**not met**"),
        (REFERENCE / 2, 59, {200: 9}, "met"), (REFERENCE / 2, 119, {200: 9}, "met at this machine's speed"),
        (REFERENCE / 2, 121, {200: 9}, "**not met**"), (REFERENCE / 2, 119, {200: 8, 503: 1}, "**not met**"),
    ],
)  # fmt: skip
def test_a_slower_machine_is_judged_by_its_own_speed_too(plain: float, p50: float, statuses: dict[int, int], verdict: str) -> None:
    name = "Today page, each clinic once, one client"
    run = Run("x", plain=Figures(9, 1, 1, per_second=plain), http={name: Figures(9, p50, p50, statuses=statuses)})
    (line,) = [line for line in report(run) if "p50 < 60 ms" in line]
    assert line.endswith(f"| {verdict} |")
    assert any("times as often; each" in line for line in report(run)) is (plain < REFERENCE)


def test_each_is_judged_by_the_machines_speed_in_the_same_seconds() -> None:
    name = "register a patient, one client"
    once = Figures(9, 1, 1, per_second=REFERENCE)
    for beside, verdict in ((0, "**not met**"), (REFERENCE / 2, "met at this machine's speed"), (REFERENCE / 1.4, "**not met**")):
        run = Run("x", plain=once, http={name: Figures(9, 30, 30, statuses={201: 9}, plain_per_second=beside)})
        (line,) = [line for line in report(run) if line.startswith(f"| {name}") and "p50 <" in line]
        assert line.endswith(f"| {verdict} |")


def test_what_was_not_measured_is_not_met() -> None:
    assert {goal.met for goal in goals_of(Run("x"))} == {None}


def test_every_goal_names_a_scenario() -> None:
    """A scenario that was renamed would be "not measured" for ever."""
    every = Run("x", plain=Figures(1, 1, 1, per_second=1), http={one.name: Figures(1, 1, 1) for one in SCENARIOS})
    unmeasured = [goal.name for goal in goals_of(every) if goal.found == "not measured"]
    assert unmeasured == []


def test_runs_are_compared_by_their_medians() -> None:
    def kept(p50: float) -> dict[str, Any]:
        return {"operations": {"patients.list": {"warm": {"p50": p50}}}, "http": {"new": {"p50": 1.0}}}

    assert compared(kept(2.0), kept(1.0)) == [("patients.list", 1.0, 2.0, 2.0)]
    assert compared(kept(1.1), kept(1.0)) == []


def test_an_ordinary_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="was not made by seed_scale"):
        _run([sys.executable, "manage.py", "benchmark", "--database", "postgres"], dict(os.environ))
