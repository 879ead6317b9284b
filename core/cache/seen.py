"""A writer's next request may land on another machine: it says what it has seen, and who hasn't heard that asks the source.

Only while changes travel by PostgreSQL's notices alone (no Redis, or Redis in trouble). The mark is `machine.unit`, in the
cookie `hms_seen` or the header `X-HMS-Seen`, and is good for a few seconds.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

COOKIE = "hms_seen"
HEADER = "X-HMS-Seen"
SECONDS = 5
NOBODY = "0" * 16  # a machine that is none: every machine waits until it has heard the unit
MARK = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{16})")

_wrote: ContextVar[list[str] | None] = ContextVar("hms_seen_wrote", default=None)
_behind: ContextVar[bool] = ContextVar("hms_seen_behind", default=False)


def is_behind() -> bool:
    """Has the person who asks seen a change that this process hasn't heard of yet?"""
    return _behind.get()


def note(mark: str) -> None:
    """A unit has committed whose announcement other machines may not have heard yet."""
    if (wrote := _wrote.get()) is not None:
        wrote.append(mark)


class Heard:
    """The units whose notices this process heard in the last seconds. One writer (the listener), any readers."""

    def __init__(self) -> None:
        self._marks: OrderedDict[str, float] = OrderedDict()

    def add(self, mark: str) -> None:
        now = time.monotonic()
        self._marks[mark] = now
        while self._marks and next(iter(self._marks.values())) < now - 2 * SECONDS:
            self._marks.popitem(last=False)

    def __contains__(self, mark: str) -> bool:
        return mark in self._marks


@contextmanager
def request(said: str, *, machine: str, heard: Heard) -> Iterator[list[str]]:
    """Around a request that came with the mark `said` (or ""). Gives the marks of the units it committed."""
    match = MARK.fullmatch(said)
    behind = bool(match and match[1] != machine and match[2] not in heard)
    wrote: list[str] = []
    tokens = _wrote.set(wrote), _behind.set(behind)
    try:
        yield wrote
    finally:
        _wrote.reset(tokens[0])
        _behind.reset(tokens[1])
