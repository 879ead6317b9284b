"""What log lines add up to, and that neither their number nor their damage harms."""

import gzip
import json
import logging
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from core.faults.noticing import FaultFilter
from core.log_report import report as reports
from core.log_report.figures import OTHERS, Kept, Spread
from core.log_report.report import Report
from tests.core.test_logs import lines_of

ONE, OTHER = "01a223e9-2c23-71ea-994c-087c667acaf4", "01a223e9-2c23-71ea-994c-087c667acaf5"


def asked(ms: float = 10, status: int = 200, route: str = "/patients/", at: str = "2026-01-31T10:00:00.000Z", **more: Any) -> str:
    line = {"timestamp": at, "level": "info", "logger": "hms.requests", "event": "request", "method": "GET", "route": route}
    return json.dumps({**line, "status": status, "ms": ms, "queries": 3, "db_ms": 1.5, **more}) + "\n"


def analysed(*files: Path, **options: Any) -> Any:
    said = StringIO()
    call_command("analyse_logs", *map(str, files), json=True, stdout=said, **options)
    return json.loads(said.getvalue())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_routes_statuses_clinics_and_hours(log: Path) -> None:
    lines = [asked(ms, clinic_id=ONE) for ms in range(1, 101)]
    lines += [asked(900, 500, "/slow/", "2026-01-31T11:59:59.999Z", clinic_id=OTHER, request_id="check-0009")]
    log.write_text("".join(lines))
    found = analysed(log, top=2)
    assert (found["lines"], found["damaged"], found["first"][:13], found["last"][:13]) == (101, 0, "2026-01-31T10", "2026-01-31T11")
    patients, slow = found["routes"]
    assert (patients["route"], patients["count"], patients["max"]) == ("GET /patients/", 100, 100.0)
    assert patients["p50"] == pytest.approx(50, rel=0.05) and patients["p95"] == pytest.approx(95, rel=0.05)
    assert slow["route"] == "GET /slow/" and slow["p95"] == pytest.approx(900, rel=0.05)
    assert found["statuses"] == {"200": 100, "500": 1}
    assert [(one["clinic"], one["count"]) for one in found["clinics"]] == [(ONE, 100), (OTHER, 1)]
    assert [(one["hour"], one["requests"]) for one in found["hours"]] == [("2026-01-31T10", 100), ("2026-01-31T11", 1)]
    assert [one["ms"] for one in found["slowest"]] == [900, 100] and found["slowest"][0]["request_id"] == "check-0009"


def test_errors_have_the_fingerprint_of_the_administration(log: Path) -> None:
    """Lines as HMS writes them."""
    with lines_of() as found:
        handler = logging.getLogger().handlers[-1]
        handler.filters.insert(0, FaultFilter())
        for text in ("Quetzalwin", "Ottoline"):
            try:
                int(text)
            except ValueError:
                logging.getLogger("core.somewhere").exception("It failed for %d.", len(text))
        logging.getLogger("core.elsewhere").error("Number %d is odd.", 3)
        logging.getLogger("core.elsewhere").error("Number %d is odd.", 5)
    log.write_text("\n".join(found) + "\n")
    first, second = analysed(log)["errors"]
    assert first["count"] == second["count"] == 2
    named = next(one for one in (first, second) if one["error"])
    assert len(named["fault"]) == 16 and named["error"].endswith("ValueError")
    assert "core.elsewhere: Number # is odd." in (first["fault"], second["fault"])


def test_a_damaged_line_is_named_and_not_shown(log: Path) -> None:
    good = asked()
    cut = b'{"timestamp": "2026-01-31T10:00:00Z", "lev'
    odd = [cut, b"Quetzalwin called", b"\xff\xfe", b"", b"[1]", b"{}", b"x" * (3 * 1024 * 1024)]
    log.write_bytes(good.encode() + b"\n".join([*odd, good.encode()]))
    found = analysed(log)
    assert (found["damaged"], found["requests"]["count"]) == (6, 2)
    assert found["damaged_lines"][0] == f"{log}:2: no JSON"
    assert found["damaged_lines"][-1] == f"{log}:8: longer than 1048576 bytes"
    assert "Quetzalwin" not in json.dumps(found)


NAMES = st.sampled_from(["timestamp", "level", "logger", "event", "ms", "status", "route", "fault", "clinic_id"])
WORDS = st.sampled_from(["", "a", "hms.requests", "error", "2026-01-31T10"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**12), st.floats(-1, 1e300), WORDS, st.just([1, 2]))


@given(st.dictionaries(NAMES, VALUES))
def test_no_object_is_fatal(line: dict[str, Any]) -> None:
    report = Report()
    report.add({**line, "timestamp": str(line.get("timestamp"))})
    json.dumps(report.as_json())


def test_packed_files_standard_input_and_moments(log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(asked(at="2026-01-30T10:00:00.000Z").encode()))
    log.write_text(asked() + asked(at="2026-02-01T10:00:00.000Z"))
    assert analysed(packed, log)["requests"]["count"] == 3
    assert analysed(packed, log, since="2026-01-31", until="2026-02")["requests"]["count"] == 1
    command = [sys.executable, "manage.py", "analyse_logs"]
    done = subprocess.run(command, input=asked(), cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    assert "1 lines from 2026-01-31T10:00:00.000Z" in done.stdout and "GET /patients/" in done.stdout


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        analysed(tmp_path / "nowhere")


def test_it_reads_what_a_request_leaves(log: Path, settings: Any) -> None:
    settings.HMS_REQUEST_LOG = True
    with lines_of() as found:
        Client().get("/sign-in/")
    log.write_text("\n".join(found) + "\n")
    said = analysed(log)
    assert said["damaged"] == 0 and said["statuses"] == {"200": 1}
    assert said["routes"][0]["route"] == "GET /sign-in/"


# --- Bounds --------------------------------------------------------------------------------------------------------------
def test_memory_does_not_grow_with_the_lines() -> None:
    def lines(count: int) -> Iterator[dict[str, Any]]:
        for number in range(count):
            at = f"2026-01-31T{number % 24:02}:00:00.000Z"
            yield json.loads(asked(number % 977, at=at, clinic_id=str(number % 40), fault=f"{number % 30:016}"))

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            report = Report()
            report.add_all(lines(count))
            report.as_json()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < 1.5 * peak(4_000)


def test_too_many_keys_share_one() -> None:
    kept = Kept(Spread, 2)
    for key in ("a", "b", "c", "d", "a"):
        kept.of(key).add(1)
    assert {key: one.count for key, one in kept.items()} == {"a": 2, "b": 1, OTHERS: 2}
    assert reports.MOST_ROUTES >= 1000


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_percentiles_are_near_the_true_ones(values: list[float], part: float) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    true = sorted(values)[max(0, -(-len(values) * round(part * 100) // 100) - 1)]
    assert spread.percentile(part) == pytest.approx(true, rel=0.06, abs=0.11)
