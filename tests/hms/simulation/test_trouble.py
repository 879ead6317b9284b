"""A day on which Redis and a worker are killed twice on the way: everything is true at its end, and all jobs are done."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from hms.simulation.invariants import INVARIANTS
from hms.simulation.trouble import PLAN
from tests.factories.server import ROOT

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("simulation"), pytest.mark.thorough]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "simulate_day", "--trouble", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")
def test_a_day_with_trouble() -> None:
    done = run("--clinics", "2", "--hours", "2", "--speed", "120", "--seed", "7", "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert told["true"] and told["invariants"] == {name: [] for name in INVARIANTS}
    assert told["trouble"] == [name for _, name in PLAN]
    assert told["trouble"].count("kill_redis") == told["trouble"].count("kill_worker") == 2
    assert told["jobs_left"] == [] and told["jobs_done"] > 0


def test_nobody_kills_what_others_work_with() -> None:
    done = run("--url", "http://127.0.0.1:9")
    assert done.returncode == 1 and "--trouble is for a server of its own" in done.stderr
