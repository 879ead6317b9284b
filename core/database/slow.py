"""The log of slow statements: what, for which route, from which line, and with which plan; never with whose data."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from django.conf import settings

from core.database.explain import EXPLAINABLE, Plan, explained
from core.database.fingerprint import Fingerprint

logger = logging.getLogger(__name__)

MOST_A_MINUTE = 10  # lines of one process; and one for each statement
MINUTE = 60.0
MOST_KEPT = 200  # statements that a process remembers


@dataclass(slots=True)
class Slow:
    """A statement that was slow, without any value: how often, for how long in all and at most (ms), and where it was last sent."""

    text: str
    place: str
    count: int = 0
    milliseconds: float = 0.0
    longest: float = 0.0


class SlowLog:
    """Writes statements over HMS_SLOW_QUERY_MS, a share of them (HMS_SLOW_QUERY_SAMPLE), and not too many. For all threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[str, float] = {}  # when each statement was last written, within the last minute
        self._slowest: dict[str, Slow] = {}
        self.slow = 0
        self.unwritten = 0

    def note(
        self, connection: Any, sql: str, params: Any, mark: Fingerprint, milliseconds: float, place: str, *, ran: bool
    ) -> None:
        """A statement was slow. `place` is its route and line; the plan is asked for if it `ran` to its end.

        Costs the planning of the statement once more, at most ten times a minute.
        """
        self._remember(mark, milliseconds, place)
        if not self._admitted(mark):
            return
        plan = self._plan(connection, sql, params) if ran and mark.kind in EXPLAINABLE else "it did not end" if not ran else "none"
        logger.warning("Slow statement %s: %.0f ms, %s: %s; plan: %s", mark.digest, milliseconds, place, mark.text, plan)

    def _remember(self, mark: Fingerprint, milliseconds: float, place: str) -> None:
        with self._lock:
            if mark.digest in self._slowest or len(self._slowest) < MOST_KEPT:
                one = self._slowest.setdefault(mark.digest, Slow(mark.text, place))
                one.place, one.count, one.milliseconds = place, one.count + 1, one.milliseconds + milliseconds
                one.longest = max(one.longest, milliseconds)

    def slowest(self, most: int) -> list[Slow]:
        """Of this process since it began, what took most time first."""
        with self._lock:
            return [replace(one) for one in sorted(self._slowest.values(), key=lambda one: -one.milliseconds)[:most]]

    def _admitted(self, mark: Fingerprint) -> bool:
        with self._lock:
            self.slow += 1
            now = self._clock()
            self._written = {digest: at for digest, at in self._written.items() if now - at < MINUTE}
            full = len(self._written) >= MOST_A_MINUTE or mark.digest in self._written
            if full or random.random() >= settings.HMS_SLOW_QUERY_SAMPLE:  # noqa: S311 (no secret)
                self.unwritten += 1
                return False
            self._written[mark.digest] = now
            return True

    def _plan(self, connection: Any, sql: str, params: Any) -> str:
        """The plan on one line, as PostgreSQL would make it now: EXPLAIN without ANALYZE, in a savepoint."""
        try:
            plan: Plan = explained(connection, sql, params, analyze=False)
        except psycopg.Error as error:
            return f"not to be had ({type(error).__name__})"
        return " | ".join(plan.lines())

    def snapshot(self) -> dict[str, int]:
        """How many statements were slow, and how many of these were not written."""
        with self._lock:
            return {"slow": self.slow, "unwritten": self.unwritten}


slow_log = SlowLog()
