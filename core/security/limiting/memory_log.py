"""The sliding window of one process: the time of every hit that was let in, kept as long as a window needs it."""

import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.security.limiting.rates import Rate
from core.security.limiting.verdicts import Demand, Standing, standing_of

MOST_KEYS = 20_000
MOST_STAMPS = 500_000  # of all keys together: 4 MB


def microseconds() -> int:
    return time.monotonic_ns() // 1000


@dataclass(slots=True)
class Log:
    """The hits of one key, in order; none is needed once `span` has passed since the last."""

    stamps: "array[int]"
    span: int = 0


class MemoryLog:
    """As core.security.limiting.redis_log, but of this process alone. Bounded: the key used longest ago is forgotten first."""

    def __init__(
        self, clock: Callable[[], int] = microseconds, *, most_keys: int = MOST_KEYS, most_stamps: int = MOST_STAMPS
    ) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._most_stamps = most_stamps
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._stamps = 0
        self._lock = threading.Lock()

    def take(self, demands: Sequence[Demand], *, hit: bool = True) -> list[Standing]:
        """Let in and count the hit for every key, or for none: then at least one window has refused, or nobody asked for more."""
        with self._lock:
            now = self._clock()
            found = [(demand, self._log(demand.name, demand.rate)) for demand in demands]
            used = [
                (window, *_used(log.stamps, now - window.span), log) for demand, log in found for window in demand.rate
            ]  # fmt: skip
            taken = hit and all(count < window.limit for window, count, _, _ in used)
            standings = [
                standing_of(window.limit, window.span, count, oldest, now, taken=taken) for window, count, oldest, _ in used
            ]
            if taken:
                for demand, log in found:
                    self._note(log, now, demand.rate)
            self._forget(now, keep=len(demands))
        return standings

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._logs.clear()
            self._stamps = 0

    @property
    def size(self) -> tuple[int, int]:
        """Keys and stamps that are kept."""
        return len(self._logs), self._stamps

    # --- Inside, under the lock -------------------------------------------------------------------------------------------
    def _log(self, name: str, rate: Rate) -> Log:
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = Log(array("q"))
        else:
            self._logs.move_to_end(name)
        log.span = max(log.span, *(window.span for window in rate))
        return log

    def _note(self, log: Log, now: int, rate: Rate) -> None:
        log.stamps.append(now)
        spare = len(log.stamps) - max(window.limit for window in rate)
        if spare <= 0:  # what no window reaches any more: half of them at once, else each hit would move all that stay
            past = bisect_right(log.stamps, now - log.span)
            spare = past if 2 * past >= len(log.stamps) else 0
        del log.stamps[:spare]
        self._stamps += 1 - spare

    def _forget(self, now: int, *, keep: int) -> None:
        """The oldest keys: two that nobody needs any more each time, and all that are too many."""
        for _ in range(2):
            name, log = next(iter(self._logs.items()))
            if len(self._logs) <= keep or (log.stamps and log.stamps[-1] > now - log.span):
                break
            self._drop(name)
        while len(self._logs) > keep and (len(self._logs) > self._most_keys or self._stamps > self._most_stamps):
            self._drop(next(iter(self._logs)))

    def _drop(self, name: str) -> None:
        self._stamps -= len(self._logs.pop(name).stamps)


def _used(stamps: "array[int]", edge: int) -> tuple[int, int]:
    """How many hits are later than `edge`, and the first of them (0: none)."""
    first = bisect_right(stamps, edge)
    return len(stamps) - first, stamps[first] if first < len(stamps) else 0
