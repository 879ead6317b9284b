"""One breaker for each way into a database server: while it is closed to us, whoever needs it is told so at once.

A way in is a server, a database and a role: a role whose password is wrong is nobody else's trouble.

It opens when a connection can't be made, or when a connection's deadline passes without an answer. From then on a thread of
its own asks the server until it answers; no request waits for that, and none has to come for the breaker to close.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

logger = logging.getLogger(__name__)

Entrance = tuple[str, str, str, str]  # host (or socket directory), port, role and database
Probe = Callable[[], None]
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0  # seconds between two questions of the probe; each pause is shortened by up to a half


class DatabaseAway(psycopg.OperationalError):
    """The breaker is open: the statement was not sent. Through Django it is the cause of its OperationalError."""


@dataclass(frozen=True, slots=True)
class BreakerState:
    """`seconds` since it opened (0 while closed), how often it has opened, how many uses it refused, why it opened last."""

    is_open: bool
    seconds: float
    opened: int
    refused: int
    reason: str


class Breaker:
    """Closed, or open with a probe under way. Safe for threads; while closed `check` costs one look at an attribute."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._open = False
        self._since = 0.0
        self._opened = self._refused = 0
        self._reason = ""

    def check(self) -> None:
        """Raise DatabaseAway while the breaker is open."""
        if self._open:
            self._refused += 1
            raise DatabaseAway("The database is away.")

    def open(self, reason: str, probe: Probe) -> None:
        """The server is away. `probe` raises psycopg.Error until it answers; a thread calls it until then."""
        with self._lock:
            if self._open:
                return
            self._open, self._since, self._reason = True, time.monotonic(), reason
            self._opened += 1
        logger.error("The database (%s) is away: %s", self.name, reason)
        try:
            threading.Thread(target=self._until_it_answers, args=(probe,), name="hms-database-probe", daemon=True).start()
        except RuntimeError:  # no thread to be had: nobody would close it
            self._open = False
            raise

    def close(self) -> None:
        """Without asking: in a forked process no probe is under way, and here the one that is ends."""
        self._lock = threading.Lock()
        self._open = False

    def _until_it_answers(self, probe: Probe) -> None:
        pause = FIRST_PAUSE
        while self._open:
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (not every process at the same moment)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                probe()
            except psycopg.Error:
                continue
            except Exception:
                logger.exception("The probe of the database (%s) failed; it goes on.", self.name)
                continue
            break
        else:
            return
        with self._lock:
            self._open = False
            seconds = time.monotonic() - self._since
        logger.warning("The database (%s) answers again after %.1f s.", self.name, seconds)

    @property
    def state(self) -> BreakerState:
        seconds = time.monotonic() - self._since if self._open else 0.0
        return BreakerState(self._open, seconds, self._opened, self._refused, self._reason)


_breakers: dict[Entrance, Breaker] = {}


def breaker_of(entrance: Entrance) -> Breaker:
    """The process's breaker for this way in; every thread shares it."""
    return _breakers.setdefault(entrance, Breaker(":".join(part for part in entrance if part)))


def _after_fork() -> None:
    for breaker in _breakers.values():
        breaker.close()


os.register_at_fork(after_in_child=_after_fork)


def breakers() -> list[Breaker]:
    """Those of this process."""
    return list(_breakers.values())
