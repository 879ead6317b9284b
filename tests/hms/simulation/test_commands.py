"""simulate_day and loadtest as operators run them: what they print, and what they end with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hms.simulation.home import Home
from hms.simulation.invariants import INVARIANTS
from hms.simulation.loading import Measured, NotLoaded, Thresholds, measured_of
from tests.factories.server import ROOT, Server

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("simulation"), pytest.mark.thorough]

FEW_SECONDS = ("--users", "4", "--ramp-up", "4", "--duration", "4", "--pause", "0.05", "0.2", "--json")


def run(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=server.environment, capture_output=True, text=True, check=False, timeout=300)


def test_a_day_at_a_demo_that_runs(server: Server) -> None:
    done = run(server, "simulate_day", "--url", server.url, "--speed", "900", "--hours", "0.25", "--seed", "4", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["true"] and told["seed"] == 4 and told["invariants"] == {name: [] for name in INVARIANTS}


def test_a_day_after_which_something_is_not_true(server: Server, demo: Home) -> None:
    lost = "SELECT id, appointment_id FROM appointments_claim WHERE appointment_id IS NOT NULL LIMIT 1"
    row = demo.connection.execute(lost).fetchone()
    assert row
    let_go = "UPDATE appointments_claim SET appointment_id = %s WHERE id = %s"
    demo.connection.execute(let_go, [None, row[0]])
    done = run(server, "simulate_day", "--url", server.url, "--speed", "900", "--hours", "0.05", "--seed", "4")
    demo.connection.execute(let_go, [row[1], row[0]])
    assert done.returncode == 2
    assert "Not true: claims_are_those_of_visits." in done.stderr
    assert f"visit {row[1]}" in done.stdout


def test_nobody_answers(server: Server) -> None:
    done = run(server, "simulate_day", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1 and "does not answer" in done.stderr
    assert run(server, "loadtest", "--url", "http://127.0.0.1:9").returncode == 1
    assert run(server, "simulate_day", "--speed", "0").returncode == 1


def test_load_that_meets_its_thresholds(server: Server, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run(server, "loadtest", "--url", server.url, *FEW_SECONDS, "--html", str(report))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failures_percent"] == 0 and not told["unmet"]
    assert told["total"]["count"] == sum(one["count"] for one in told["kinds"].values()) > 8
    assert "<html" in report.read_text()


def test_load_that_does_not(server: Server) -> None:
    wanted = ("--endpoints", "me", "patient", "--min-rate", "100000", "--max-p95", "0.001")
    done = run(server, "loadtest", "--url", server.url, *FEW_SECONDS, *wanted)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert len(told["unmet"]) == 2
    assert told["kinds"].keys() <= {"known", "me", "patient", "sign-in", "sign-in page"}


def test_thresholds_say_what_is_not_met() -> None:
    measured = Measured({"count": 200, "failures": 4, "p50": 20, "p95": 300, "p99": 900}, 12.0, 2.0)
    assert not Thresholds(failures=2.0, p95=300, p99=900, rate=12.0).unmet(measured)
    assert not Thresholds(failures=None).unmet(measured)
    assert len(Thresholds(failures=1.9, p95=299, p99=899, rate=12.1).unmet(measured)) == 4


def test_figures_of_all_kinds_together() -> None:
    entry = {"num_failures": 0, "start_time": 10.0, "last_request_timestamp": 20.0}
    entries = [
        entry | {"name": "me", "num_requests": 50, "response_times": {"5": 50}},
        entry | {"name": "me", "num_requests": 40, "response_times": {"5": 40}},  # by another method
        entry | {"name": "book", "num_requests": 10, "num_failures": 1, "response_times": {"100": 6, "400": 4}},
    ]
    measured = measured_of(entries)
    assert measured.total == {"count": 100, "failures": 1, "p50": 5, "p95": 100, "p99": 400}
    assert (measured.rate, measured.failures) == (10.0, 1.0)
    assert (measured.kinds["book"]["p50"], measured.kinds["me"]["count"]) == (100, 90)
    with pytest.raises(NotLoaded):
        measured_of([])
