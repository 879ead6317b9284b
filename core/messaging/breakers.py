"""One breaker for each channel and process: a gateway in trouble is left alone for a while, and messages take the next channel."""

import logging
import threading
import time
from dataclasses import dataclass, field

from core.messaging.models import Channel

logger = logging.getLogger(__name__)

FAILURES = 5  # in a row, before a channel is left alone
PAUSE, LONGEST_PAUSE = 30.0, 300.0  # seconds; the pause doubles while the first try after it fails too
LONGEST_WISH = 3600.0  # seconds: no gateway makes us wait longer with one Retry-After


@dataclass
class Breaker:
    """Closed, or open until a moment; the next try after that decides. Safe for threads."""

    name: str
    failures: int = 0
    open_until: float = 0.0  # time.monotonic()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds_left(self) -> float:
        """For how long the channel is to be left alone; 0 when it may be tried."""
        return max(0.0, self.open_until - time.monotonic())

    def succeeded(self) -> None:
        with self._lock:
            self.failures, self.open_until = 0, 0.0

    def failed(self, retry_after: float | None = None) -> None:
        """The gateway is in trouble, or has asked us to wait so many seconds."""
        with self._lock:
            self.failures += 1
            pause = 0.0 if self.failures < FAILURES else min(PAUSE * 2 ** (self.failures - FAILURES), LONGEST_PAUSE)
            if retry_after is not None:
                pause = max(pause, min(retry_after, LONGEST_WISH))
            if pause:
                self.open_until = max(self.open_until, time.monotonic() + pause)
                logger.warning("The channel %s is left alone for %.0f seconds.", self.name, pause)


_breakers = {channel: Breaker(channel.value) for channel in Channel}


def breaker_of(channel: Channel) -> Breaker:
    return _breakers[channel]


def reset_breakers() -> None:
    """As after a start."""
    for one in _breakers.values():
        one.succeeded()
