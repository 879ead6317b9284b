"""The clock that `make test-hours` shifts: Python's and PostgreSQL's are the same, and what waits a moment waits no longer."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from core.database.embedded import EmbeddedPostgres

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
DAYS = timedelta(days=40)
LOOKS = """
import json, os, sys, threading, time
lock = threading.Lock()
lock.acquire()
began = time.monotonic()
time.sleep(0.05)
lock.acquire(timeout=0.05)
waited = time.monotonic() - began
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, str(time.time()).encode())
    os._exit(0)
json.dump([time.time(), time.monotonic(), waited, float(os.read(reader, 100)), os.stat(sys.executable).st_mtime], sys.stdout)
"""


def due() -> float:
    """Seconds since 1970 on a clock 40 days ahead of the machine's, also in a run that is shifted itself."""
    unshifted = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return float(subprocess.check_output(["date", "+%s"], env=unshifted)) + DAYS.total_seconds()


@pytest.fixture
def clock(folder: Path) -> Path:
    """The library that puts a process 40 days ahead."""
    library, source = folder / "clock.so", settings.BASE_DIR / "scripts" / "shifted_clock.c"
    shift = f"-DSHIFT={int(DAYS.total_seconds())}LL"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", "-std=c11", *warnings, "-shared", "-fPIC", shift, "-o", str(library), str(source)], check=True)
    return library


def test_the_wall_clock_is_shifted_and_nothing_waits_longer(clock: Path) -> None:
    ahead = due()
    environment = os.environ | {"LD_PRELOAD": str(clock)}
    said = subprocess.run([sys.executable, "-c", LOOKS], env=environment, capture_output=True, check=True, timeout=60).stdout
    wall, forward, waited, of_a_child, of_a_file = json.loads(said)
    assert ahead <= wall < ahead + 60 and ahead <= of_a_child < ahead + 60
    assert 0 <= time.monotonic() - forward < 60 and 0.1 <= waited < 30
    assert of_a_file == Path(sys.executable).stat().st_mtime


def test_the_embedded_database_has_the_clock_of_the_tests(clock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(clock))
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        ahead = datetime.fromtimestamp(due(), UTC)
        postgres.ensure_running()
        with psycopg.connect(postgres.url("postgres", "postgres")) as connection:
            row = connection.execute("SELECT now(), clock_timestamp()").fetchone()
        assert row and ahead <= row[0] <= row[1] < ahead + timedelta(minutes=5)
    finally:
        postgres.remove()


@pytest.mark.parametrize("when, told", [("", "Say when"), ("the day after never", "AT is a moment")])
def test_a_moment_that_is_none_is_told(when: str, told: str) -> None:
    done = subprocess.run(["scripts/test_at.sh", when], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and told in done.stdout
