"""How many second tries a system is given: a share of the first ones, so that trouble is never multiplied."""

import threading
import time
from collections.abc import Callable

SHARE = 0.2  # of a retry that each request earns
RESERVE = 10.0  # retries at hand after a quiet time
PER_SECOND = 0.5  # earned by time alone, up to the reserve
MOST = 50.0


class RetryBudget:
    """Of one system in one process. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._balance, self._at = RESERVE, clock()

    def earn(self) -> None:
        """A first request was made."""
        with self._lock:
            self._balance = min(MOST, self._balance + SHARE)

    def spend(self) -> bool:
        """May one more try be made? If so it is paid for."""
        with self._lock:
            now = self._clock()
            if self._balance < RESERVE:
                self._balance = min(RESERVE, self._balance + (now - self._at) * PER_SECOND)
            self._at = now
            if self._balance < 1:
                return False
            self._balance -= 1
            return True
