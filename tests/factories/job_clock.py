"""A wrong clock in some of a crew's processes, and one that jumps (HMS_JOB_MODULES): Python's, as the whole process sees it.

A process begins `HMS_TEST_HOURS` off, and follows what the file named by its number in `HMS_TEST_CLOCKS` says later.
"""

import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

HOURS = "HMS_TEST_HOURS"
FOLDER = "HMS_TEST_CLOCKS"
LOOK_EVERY = 0.05  # seconds
REAL = datetime.now(UTC), time.monotonic()


def moment(hours: float) -> datetime:
    start, began = REAL
    return start + timedelta(seconds=time.monotonic() - began, hours=hours)


def follow(said_by: Path) -> None:
    clock, seen = None, ""
    while True:
        with suppress(FileNotFoundError):
            if (said := said_by.read_text()) != seen:
                if clock is not None:
                    clock.stop()
                clock, seen = time_machine.travel(moment(float(said)), tick=True) if float(said) else None, said
                if clock is not None:
                    clock.start()
                said_by.with_suffix(".done").write_text(said)
        threading.Event().wait(LOOK_EVERY)


def _begin() -> None:
    """A thread for each process: none survives a fork, the clock does."""
    said_by = Path(os.environ[FOLDER]) / str(os.getpid())
    threading.Thread(target=follow, args=(said_by,), name="test-clock", daemon=True).start()


if FOLDER in os.environ:
    if hours := float(os.environ.get(HOURS, 0)):
        time_machine.travel(moment(hours), tick=True).start()
    os.register_at_fork(after_in_child=_begin)
    _begin()
