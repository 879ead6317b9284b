"""Looks at the memory every few seconds, and does what helps before the kernel ends a process in the middle of its work."""

import ctypes
import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import psutil
from django.conf import settings

from core.memory.limits import Share, memory_share
from core.memory.trimming import trim_all
from core.turns import Turn

logger = logging.getLogger(__name__)

EVERY = 2.0  # seconds
AGAIN = 60.0  # seconds after which what helped is done again, while memory stays short
SLACK = 5  # percent below a level at which it is over
REST = 30.0  # seconds between two processes that leave: a successor needs some to begin
GROWN, GROWN_BYTES = 1.2, 32 * 2**20  # a process that is hardly larger than at its start would be followed by one as large


class Level(IntEnum):
    """Percent of the limit from which on something is done."""

    CALM = 0
    TRIM = 80
    COLLECT = 90
    LEAVE = 95


LEVELS = (Level.TRIM, Level.COLLECT, Level.LEAVE)


@dataclass(slots=True)
class Counts:
    """Of this process since its start. `percent`: what was last seen; `freed` in bytes given up by caches."""

    percent: float = 0
    level: int = 0
    trimmed: int = 0
    collected: int = 0
    left: int = 0
    freed: int = 0


class Watch:
    """`leave` asks this process to end once its work in hand is done; None for one that can't be replaced.

    `share` tells how full the memory is.
    """

    def __init__(self, leave: Callable[[], None] | None, share: Callable[[], Share] = memory_share) -> None:
        self.level, self.counts, self.turn = Level.CALM, Counts(), Turn(Path(settings.VAR_DIR) / "run" / "leaving", rest=REST)
        self._leave, self._share = leave, share
        self._process = psutil.Process()
        self._at_start = self._process.memory_info().rss
        self._last: dict[Level, float] = {}
        self._thread = threading.Thread(target=self._run, name="hms-memory", daemon=True)
        self._each: list[Callable[[], None]] = []

    def also(self, call: Callable[[], None]) -> None:
        """Have this done at each look, in the same thread."""
        self._each.append(call)

    def start(self) -> None:
        """For as long as the process lives; never before a fork."""
        self._thread.start()

    def look(self) -> None:
        """Once: see how full it is, and do what is due. A level is entered at its percentage and left five below it."""
        share = self._share()
        self._settle(share)
        if self._is_due(Level.TRIM, share):
            self.counts.freed += (freed := trim_all())
            self.counts.trimmed += 1
            self._say(share, f"caches gave up {freed // 2**10} kB")
        if self._is_due(Level.COLLECT, share):
            collect()
            self.counts.collected += 1
            share = self._share()
            self._say(share, "collected what was garbage")
        if self.level >= Level.LEAVE and share.percent >= Level.LEAVE:
            self._leave_if_it_helps(share)
        self.counts.percent, self.counts.level = round(share.percent, 1), self.level

    # --- Inside --------------------------------------------------------------------------------------------------------------
    def _settle(self, share: Share) -> None:
        entered = max((one for one in LEVELS if share.percent >= one), default=Level.CALM)
        kept = max((one for one in LEVELS if one <= self.level and share.percent >= one - SLACK), default=Level.CALM)
        level = max(entered, kept)
        if level < self.level:
            self._last = {one: at for one, at in self._last.items() if one <= level}
            self._say(share, "there is room again")
        self.level = level

    def _is_due(self, level: Level, share: Share) -> bool:
        now = time.monotonic()
        if self.level < level or now - self._last.get(level, float("-inf")) < AGAIN:
            return False
        self._last[level] = now
        return True

    def _leave_if_it_helps(self, share: Share) -> None:
        if self._leave is None or self.counts.left or not self._has_grown():
            return
        if (share.of != "process" and not self._is_largest()) or not self.turn.take():
            return
        self.counts.left = 1
        self._say(share, "this process ends after its work in hand, and another takes its place")
        self._leave()

    def _has_grown(self) -> bool:
        now = self._process.memory_info().rss
        return now > max(self._at_start * GROWN, self._at_start + GROWN_BYTES)

    def _is_largest(self) -> bool:
        """Among those of the same parent, which do the same work."""
        own = self._process.memory_info().rss
        parent = self._process.parent()
        others = parent.children() if parent is not None else []
        return all(_resident(one) <= own for one in others if one.pid != self._process.pid)

    def _say(self, share: Share, done: str) -> None:
        logger.warning(
            "Memory of the %s: %.0f %% of %d MB (this process: %d MB); %s.",
            share.of, share.percent, share.limit >> 20, self._process.memory_info().rss >> 20, done,
        )  # fmt: skip

    def _run(self) -> None:
        while True:
            try:
                self.look()
                for call in self._each:
                    call()
            except Exception:  # the thread's own boundary
                logger.exception("The memory could not be looked after.")
            time.sleep(EVERY)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def collect() -> None:
    """All garbage, and what malloc keeps of it goes back to the system (where the C library can)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


_own: Watch | None = None


def begin_watch(leave: Callable[[], None]) -> Watch:
    """This process's; not started yet."""
    global _own
    _own = Watch(leave)
    return _own


def watch_counts() -> Counts:
    """What this process's watch has done; zeros where there is none."""
    return _own.counts if _own is not None else Counts()
