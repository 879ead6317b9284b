"""How long a test waits for what takes a moment. Where all is well nobody waits that long, and a busy machine fails no test."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 90.0  # seconds
# For servers that tests start: of the database's time limits none is reached because the machine stands still for some seconds.
UNHURRIED = dict.fromkeys(
    ("DB_LOCK_LIMIT", "DB_STATEMENT_LIMIT", "DB_STATEMENT_LIMIT_API", "DB_DEADLINE", "DB_CONNECTION_TIMEOUT"), "60000"
)  # ms


def eventually(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until `true()` is; fail when it isn't within the time. Returns what it returned."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)
    return found
