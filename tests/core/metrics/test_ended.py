"""The counts of processes that have ended: in one file, and never told twice or not at all, whoever reads meanwhile."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from core.metrics.ended import LOCK, add_up
from core.metrics.instruments import Together

COUNT = """
import sys
from prometheus_client import CollectorRegistry, Counter, Histogram
own = CollectorRegistry()
counter = Counter("test_asked", "Questions.", ["route"], registry=own)
histogram = Histogram("test_seconds", "Time.", registry=own, buckets=(1, 10))
for number in range(int(sys.argv[1])):
    counter.labels("a route with \u00e9").inc()
    histogram.observe(number)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def count(folder: Path, times: int) -> None:
    """In a process of its own, which ends."""
    subprocess.run([sys.executable, "-c", COUNT, str(times)], check=True, env=os.environ | {"PYTHONPATH": ""})


def told(folder: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    Together(registry)
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    return {"".join((one.name, *one.labels.values())): one.value for one in samples}


def test_it_is_the_same_before_and_after(folder: Path) -> None:
    for times in (3, 20):
        count(folder, times)
    before = told(folder)
    assert before["test_asked_totala route with \u00e9"] == 23 and before["test_seconds_count"] == 23
    add_up(folder)
    assert sorted(one.name for one in folder.glob("*.db")) == ["counter_ended.db", "histogram_ended.db"]
    assert told(folder) == before
    count(folder, 1)
    add_up(folder)
    assert told(folder)["test_asked_totala route with \u00e9"] == 24 and len(list(folder.glob("*.db"))) == 2


def test_who_lives_keeps_its_files(folder: Path) -> None:
    count(folder, 3)
    (own,) = folder.glob("counter_*.db")
    own.rename(folder / f"counter_{os.getpid()}.db")
    add_up(folder)
    assert sorted(one.name for one in folder.glob("*.db")) == [f"counter_{os.getpid()}.db", "histogram_ended.db"]


def test_whoever_reads_meanwhile_counts_each_once(folder: Path) -> None:
    count(folder, 5)
    names = [(kind, next(folder.glob(f"{kind}_*.db")).read_bytes()) for kind in ("counter", "histogram")]
    gone = int(next(folder.glob("counter_*.db")).stem.partition("_")[2])
    for number in range(1, 40):  # as many processes that have ended: no machine gives out such numbers
        for kind, content in names:
            (folder / f"{kind}_{2**22 + gone + number}.db").write_bytes(content)
    found: list[dict[str, float]] = []
    errors: list[OSError] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                found.append(told(folder))
            except OSError as error:  # else it would only end the thread
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in readers:
        one.start()
    while len(list(folder.glob("*.db"))) > 2:
        add_up(folder)
    over.set()
    for one in readers:
        one.join(20)
    found.append(told(folder))
    assert not errors
    assert {one["test_seconds_count"] for one in found} == {200} and len(found) > 3


def test_the_server_waits_for_nobody_who_reads(folder: Path) -> None:
    count(folder, 3)
    with (folder / LOCK).open("w") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        add_up(folder)
        assert not list(folder.glob("*_ended.db"))
    add_up(folder)
    assert len(list(folder.glob("*_ended.db"))) == 2


def test_where_there_is_no_room_everything_stays(folder: Path) -> None:
    count(folder, 3)
    before = told(folder)
    (folder / "counter_ended.new").mkdir()  # it can't be written
    with pytest.raises(OSError, match="directory"):
        add_up(folder)
    assert told(folder) == before
