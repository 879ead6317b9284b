"""What is done at which level, once; and what isn't done where it would not help."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings

from core.cache.memory import Entry, Memory
from core.memory import watch as watching
from core.memory.limits import Share, control_groups, memory_share
from core.memory.trimming import sizes, trim_all
from core.memory.watch import Level, Watch

KEPT: list[bytearray] = []


@pytest.fixture
def var(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.VAR_DIR = tmp_path
    yield tmp_path
    KEPT.clear()


def at(*percents: float, of: str = "container") -> Callable[[], Share]:
    """A memory that is as full as this, one look after the other; the last stays."""
    left = list(percents)
    return lambda: Share(int((left.pop(0) if left[1:] else left[0]) * 1000), 100_000, of)


def test_levels_are_entered_once_and_left_five_percent_lower(var: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(None, at(79, 80, 81, 76, 74, 80))
    watch.look()
    assert watch.level is Level.CALM and not caplog.records
    watch.look()
    watch.look()
    watch.look()
    assert (watch.level, watch.counts.trimmed) == (Level.TRIM, 1)
    assert len(caplog.records) == 1 and "80 % of 0 MB" in caplog.text
    watch.look()
    assert watch.level is Level.CALM and "there is room again" in caplog.text
    watch.look()
    assert watch.counts.trimmed == 2


def test_a_jump_does_all_that_is_due(var: Path) -> None:
    left: list[int] = []
    watch = Watch(lambda: left.append(1), at(97, of="process"))
    grow(watch)
    watch.look()
    watch.look()
    assert (watch.counts.trimmed, watch.counts.collected, watch.counts.left, left) == (1, 1, 1, [1])
    watch.turn.give_back()


def test_of_those_that_share_the_memory_the_largest_leaves(tmp_path: Path) -> None:
    """Each trims and collects; one alone leaves, whoever looks first."""
    command = [sys.executable, "-m", "tests.core.memory.siblings", str(tmp_path), "120", "60", "180"]
    ended = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True, timeout=120)
    assert sorted(ended.stdout.splitlines()) == ["120 MB: 1 1 0", "180 MB: 1 1 1", "60 MB: 1 1 0"], ended.stderr


def test_who_has_not_grown_stays(var: Path) -> None:
    left: list[int] = []
    watch = Watch(lambda: left.append(1), at(99, of="process"))
    watch.look()
    assert left == [] and not (var / "run" / "leaving").exists()


def test_collecting_may_be_enough(var: Path) -> None:
    watch = Watch(lambda: pytest.fail("left"), at(96, 90))
    grow(watch)
    watch.look()
    assert (watch.counts.collected, watch.counts.percent) == (1, 90)


def test_caches_give_up_most_of_what_they_hold(var: Path) -> None:
    memory = Memory(1_000_000)
    for number in range(100):
        memory.put(str(number), Entry("family", b"", object(), (), (), 0.0, 1000))
    held = memory.weight
    memory.trim(held // 4)
    assert 0 < memory.weight <= held // 4 and memory.get("99") and not memory.get("0")
    assert "core.cache" in sizes()
    assert trim_all() >= 0


def test_a_limit_of_its_own(settings: Any) -> None:
    settings.HMS_MEMORY_LIMIT_MB = 1
    share = memory_share()
    assert (share.of, share.limit) == ("process", 2**20) and share.percent > 100
    settings.HMS_MEMORY_LIMIT_MB = 0
    assert memory_share().of in ("machine", "process")


def grow(watch: Watch) -> None:
    """Well beyond what counts as grown: collecting frees something of the tests' own."""
    enough = watch._at_start * watching.GROWN + watching.GROWN_BYTES + 200 * 2**20
    while psutil.Process().memory_info().rss < enough:
        KEPT.append(bytearray(b"x" * watching.GROWN_BYTES))


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_group_that_is_not_the_topmost(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd sets it (MemoryMax)."""
    line, top = ("4:cpu,memory:/hms.slice/web", tmp_path / "memory") if version == 1 else ("0::/hms.slice/web", tmp_path)
    own = tmp_path / "own"
    own.write_text(f"{line}\n")
    monkeypatch.setattr("core.memory.limits.CGROUP", tmp_path)
    monkeypatch.setattr("core.memory.limits.OWN_GROUPS", own)
    group = top / "hms.slice" / "web"
    group.mkdir(parents=True)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if version == 1 else ("memory.max", "memory.current")
    for name, text in zip(names, ("1000", "700"), strict=True):
        (group / name).write_text(text)
    (group / "memory.stat").write_text(f"{'total_' if version == 1 else ''}inactive_file 100\n")
    assert list(control_groups()) == [Share(600, 1000, "container")]
