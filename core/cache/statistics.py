"""What the cache did in this process, by family of keys."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Figures:
    """Counts since the process began; `load_seconds` is the loaders' time together."""

    memory_hits: int = 0
    redis_hits: int = 0
    misses: int = 0
    passed: int = 0  # asked of the source without looking: inside a transaction that wrote, or with nothing to trust
    invalidated: int = 0  # found, but a tag had changed
    waited: int = 0  # for another thread's or process's loader
    load_seconds: float = 0.0


@dataclass(slots=True)
class Tally:
    """One request's reads: for Server-Timing."""

    hits: int = 0
    misses: int = 0

    @property
    def summary(self) -> str:
        """`hit`, `miss`, or empty when nothing was read through the cache."""
        return "miss" if self.misses else "hit" if self.hits else ""


_tally: ContextVar[Tally | None] = ContextVar("hms_cache_tally", default=None)


@contextmanager
def tallied() -> Iterator[Tally]:
    token = _tally.set(tally := Tally())
    try:
        yield tally
    finally:
        _tally.reset(token)


class Statistics:
    def __init__(self) -> None:
        self._families: dict[str, Figures] = defaultdict(Figures)
        self._lock = threading.Lock()

    def hit(self, family: str, *, redis: bool) -> None:
        with self._lock:
            figures = self._families[family]
            if redis:
                figures.redis_hits += 1
            else:
                figures.memory_hits += 1
        if (tally := _tally.get()) is not None:
            tally.hits += 1

    def loaded(self, family: str, seconds: float, *, passed: bool) -> None:
        with self._lock:
            figures = self._families[family]
            if passed:
                figures.passed += 1
            else:
                figures.misses += 1
            figures.load_seconds += seconds
        if (tally := _tally.get()) is not None:
            tally.misses += 1

    def note(self, family: str, *, invalidated: int = 0, waited: int = 0) -> None:
        with self._lock:
            figures = self._families[family]
            figures.invalidated += invalidated
            figures.waited += waited

    def snapshot(self) -> dict[str, dict[str, float]]:
        """Family -> figure -> value."""
        with self._lock:
            return {family: asdict(figures) for family, figures in sorted(self._families.items())}


def summed(snapshots: Iterable[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The figures of several processes together."""
    totals: dict[str, dict[str, float]] = {}
    for snapshot in snapshots:
        for family, figures in snapshot.items():
            total = totals.setdefault(family, {})
            for name, value in figures.items():
                total[name] = total.get(name, 0) + value
    return dict(sorted(totals.items()))
