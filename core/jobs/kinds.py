"""What can be done later, by name. `<app>/tasks.py` says how; whoever wants it done knows the name alone."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from django.utils.functional import Promise

from core.jobs.payloads import Arguments
from core.jobs.queues import QUEUES, Queue


class Run(Protocol):
    """What a kind's function is given of the attempt it is part of."""

    @property
    def id(self) -> UUID:
        """The job's: the same at each attempt, so it serves others as idempotency key."""

    @property
    def clinic_id(self) -> UUID | None: ...

    @property
    def attempt(self) -> int:
        """1 at first."""

    def progress(self, percent: int, sentence: str = "") -> None:
        """Say how far it is. No statement of this thread. Raises ClaimLost when the job was cancelled or taken back."""


def over_in(seconds: float) -> Callable[[], bool]:
    """A question that is answered with yes when so many seconds have gone by: for work that ends in good time before its queue's
    limit and leaves the rest to the next job."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


class ClaimLost(Exception):
    """The job isn't this worker's any more: it was cancelled, or given to another. Nothing of this attempt may be saved."""


class GiveUp(Exception):
    """Another try would not help. `cause` is short and says nothing of anybody."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Within(StrEnum):
    """What is around the function.

    CLINIC and PLATFORM: one transaction, in the job's clinic or across clinics, that also closes the job: its effect is there
    exactly once. NOTHING: the function enters scopes itself, and bears being run again, and twice at once.
    """

    CLINIC = "clinic"
    PLATFORM = "platform"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class JobKind:
    """`label` is what it is called to whom began it, who is told how it ended; without one nobody is.

    `attempts` in all; after the first that fails `pause` goes by, after each further one twice as much, up to `longest`."""

    name: str
    function: Callable[..., object]
    queue: Queue
    within: Within
    attempts: int
    pause: timedelta
    longest: timedelta
    gives_up_on: tuple[type[Exception], ...]
    arguments: Arguments
    label: str | Promise = ""

    def pause_after(self, attempt: int) -> timedelta:
        """How long to wait after this attempt. A quarter more or less by chance: what failed together need not come together."""
        doubled: timedelta = self.pause * 2 ** min(attempt - 1, 30)
        return min(doubled, self.longest) * random.uniform(0.75, 1.25)  # noqa: S311


class UnknownKind(LookupError):
    """No `tasks.py` of this installation registers that name."""


_kinds: dict[str, JobKind] = {}


def job_kind(
    name: str,
    *,
    queue: str,
    within: Within = Within.CLINIC,
    attempts: int = 5,
    pause: timedelta = timedelta(seconds=20),
    longest: timedelta = timedelta(hours=1),
    gives_up_on: tuple[type[Exception], ...] = (),
    label: str | Promise = "",
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register a function, `def daily_report(run: Run, *, day: date)`, under a name like `reports.daily`."""

    def register(function: Callable[..., object]) -> Callable[..., object]:
        if name in _kinds:
            raise ValueError(f"There is a job kind {name} already.")
        arguments = Arguments(function)
        _kinds[name] = JobKind(name, function, QUEUES[queue], within, attempts, pause, longest, gives_up_on, arguments, label)
        return function

    return register


def kind_of(name: str) -> JobKind:
    """Raises UnknownKind."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(name) from None


def known_kinds() -> dict[str, JobKind]:
    return dict(sorted(_kinds.items()))
