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
from tests.factories.patience import eventually

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
STOP = """
import os, sys
from pathlib import Path
from core.metrics.ended import add_up
left = int(sys.argv[2])
def step(event, args):
    global left
    if event in ("open", "os.rename", "os.remove"):
        if not left:
            os._exit(9)
        left -= 1
sys.addaudithook(step)
add_up(Path(sys.argv[1]))
"""
ROOT = Path(__file__).resolve().parents[3]


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
    eventually(lambda: len(found) > 3 or errors)
    while len(list(folder.glob("*.db"))) > 2:
        add_up(folder)
    over.set()
    for one in readers:
        one.join(20)
    found.append(told(folder))
    assert not errors
    assert {one["test_seconds_count"] for one in found} == {200}


def test_the_server_waits_for_nobody_who_reads(folder: Path) -> None:
    count(folder, 3)
    with (folder / LOCK).open("w") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        add_up(folder)
        assert not list(folder.glob("*_ended.db"))
    add_up(folder)
    assert len(list(folder.glob("*_ended.db"))) == 2


def test_wherever_it_is_killed_everything_is_told_once(folder: Path) -> None:
    """Before each opening, renaming and removal of a file; also when the next that is added up comes before the one left over."""
    for times in (3, 20, 100):
        count(folder, times)
        if times == 3:
            add_up(folder)
    before, files = told(folder), {file.name: file.read_bytes() for file in folder.iterdir()}
    for stop in range(100):
        for file in folder.iterdir():
            file.unlink()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        ended = subprocess.run([sys.executable, "-c", STOP, str(folder), str(stop)], check=False, cwd=ROOT)
        assert told(folder) == before, stop
        add_up(folder)
        assert told(folder) == before, stop
        assert sorted(one.name for one in folder.glob("*.db")) == ["counter_ended.db", "histogram_ended.db"]
        if not ended.returncode:
            break
    assert ended.returncode == 0 and stop > 20


def test_a_process_of_the_same_number_is_counted_anew(folder: Path) -> None:
    count(folder, 3)
    names = sorted(folder.glob("*.db"))
    add_up(folder)
    count(folder, 4)
    for name, new in zip(names, sorted(folder.glob("*_[0-9]*.db")), strict=True):
        new.rename(name)
    assert told(folder)["test_seconds_count"] == 7
    add_up(folder)
    assert told(folder)["test_seconds_count"] == 7


def test_where_there_is_no_room_everything_stays(folder: Path) -> None:
    count(folder, 3)
    before = told(folder)
    (folder / "counter_ended.new").mkdir()  # it can't be written
    with pytest.raises(OSError, match="directory"):
        add_up(folder)
    assert told(folder) == before
