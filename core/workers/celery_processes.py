"""The signs of life of Celery's processes: each that does jobs beats, and says too whether Celery itself goes round."""

import mmap
import struct
import time
from typing import Any

from celery import current_app
from celery.signals import worker_init, worker_process_init, worker_process_shutdown, worker_ready
from django.conf import settings

from core.jobs.models import State
from core.workers.beating import Beats

ROUNDS = 3  # times in a beat that Celery says that it goes round
NUMBER = struct.Struct("d")


class Process:
    """What one of Celery's processes knows of itself. Made before the fork, so that parent and children share `_round`."""

    def __init__(self) -> None:
        self.beats: Beats | None = None
        self._round = mmap.mmap(-1, NUMBER.size)

    def go_round(self) -> None:
        """By Celery's own timer: not while it stands still. The monotonic clock is the machine's."""
        self._round[:] = NUMBER.pack(time.monotonic())

    def parent_idle(self) -> float:
        """Seconds since Celery last went round."""
        (last,) = NUMBER.unpack(self._round[:])
        return float(max(0.0, time.monotonic() - last))

    def count(self, state: State | None, seconds: float) -> None:
        """A job was done, or tried. None: there was nothing to do."""
        if self.beats is not None and state is not None:
            counts = self.beats.counts
            counts.succeeded += state is State.SUCCEEDED
            counts.failed += state is not State.SUCCEEDED
            counts.busy += seconds


process = Process()


@worker_init.connect  # type: ignore[untyped-decorator]
def _will_fork(**_: Any) -> None:
    process.go_round()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _goes_round(sender: Any, **_: Any) -> None:
    sender.timer.call_repeatedly(settings.HMS_WORKER_BEAT / ROUNDS, process.go_round)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _begin(sender: str, **_: Any) -> None:
    process.beats = Beats(sender, sorted(current_app.amqp.queues.consume_from), process.parent_idle)
    process.beats.start()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    if process.beats is not None:
        process.beats.stop()
