"""A writer's next request may land on another machine: it says what it has seen, and who hasn't heard that asks the source.

The mark is `machine.unit`, or `machine.unit.redis` if Redis was told as well, in the cookie `hms_seen` or the header `X-HMS-Seen`,
and is good for a few seconds. Of Redis and this machine's own level each counts only if it knows the unit.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

COOKIE = "hms_seen"
HEADER = "X-HMS-Seen"
SECONDS = 5
NOBODY = "0" * 16  # a machine that is none: every machine waits until it has heard the unit
REDIS = ".redis"
MARK = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{16})(\.redis)?")


@dataclass(frozen=True, slots=True)
class Known:
    """Who knows all that the person who asks has seen: this machine, Redis?"""

    here: bool
    redis: bool


@dataclass(slots=True)
class Written:
    """What a request has committed. `told`: Redis was told of each unit."""

    machine: str
    before: Known
    unit: str = ""
    told: bool = True

    def mark(self) -> str:
        """What the next request is to say; empty if nothing was written.

        Who came with something unheard may have written elsewhere before: then this machine waits for the newer mark too, and what
        Redis wasn't told of it knows no better now.
        """
        if not self.unit:
            return ""
        machine = self.machine if self.before.here else NOBODY
        return f"{machine}.{self.unit}{REDIS if self.told and self.before.redis else ''}"


ALL = Known(here=True, redis=True)
_written: ContextVar[Written | None] = ContextVar("hms_seen_written", default=None)


def known() -> Known:
    """Who knows all that the person who asks has seen?"""
    return written.before if (written := _written.get()) is not None else ALL


def note(unit: str, *, told: bool) -> None:
    """A unit has committed, whose announcement other machines may not have heard yet; was Redis told of it?"""
    if (written := _written.get()) is not None:
        written.unit, written.told = unit, written.told and told


class Heard:
    """Units of the last seconds. One writer (the listener), any readers."""

    def __init__(self) -> None:
        self._marks: OrderedDict[str, float] = OrderedDict()

    def add(self, mark: str) -> None:
        now = time.monotonic()
        self._marks[mark] = now
        while self._marks and next(iter(self._marks.values())) < now - 2 * SECONDS:
            self._marks.popitem(last=False)

    def __contains__(self, mark: object) -> bool:
        return mark in self._marks


@contextmanager
def request(said: str, *, machine: str, heard: Container[str], told: Container[str]) -> Iterator[Written]:
    """Around a request that came with the mark `said` (or ""). `heard` are the units whose notices this process heard, all of them;
    `told` those of which it knows that Redis was told."""
    before = ALL
    if match := MARK.fullmatch(said):
        here = match[1] == machine != NOBODY or match[2] in heard
        before = Known(here=here, redis=bool(match[3]) or match[2] in told)
    token = _written.set(written := Written(machine, before))
    try:
        yield written
    finally:
        _written.reset(token)
