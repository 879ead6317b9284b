"""The alerts that this server knows of: in memory first, in the table as soon as the database takes them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from core.monitoring.judging import Condition, Key
from core.monitoring.metrics import Rule


class Event(StrEnum):
    """What people are told of an alert."""

    RAISED = "raised"
    REMINDED = "reminded"
    RESOLVED = "resolved"


@dataclass(slots=True)
class Standing:
    """One alert. Times are this process's (`time.monotonic`); `id` is None until it stands in the table."""

    rule: Rule
    subject: str
    server: str
    raised: float
    seen: float
    value: float
    worst: float
    note: str = ""
    id: UUID | None = None
    told: float | None = None
    resolved: float | None = None
    said_over: bool = False
    acknowledged: bool = False

    @property
    def key(self) -> Key:
        return self.rule.name, self.subject, self.server


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell. `seconds`: how long the alert has been open. `only_bell`: the rest was told while the table was away."""

    event: Event
    rule: Rule
    subject: str
    server: str
    value: float
    worst: float
    note: str
    seconds: float
    id: UUID | None = None
    only_bell: bool = False

    @classmethod
    def of(cls, event: Event, one: Standing, now: float, *, only_bell: bool = False) -> "News":
        seconds = now - one.raised
        return cls(event, one.rule, one.subject, one.server, one.value, one.worst, one.note, seconds, one.id, only_bell)


@dataclass(slots=True)
class Board:
    """What is open, and what is over and not written yet. Used by one thread."""

    clock: Callable[[], float] = time.monotonic
    open: dict[Key, Standing] = field(default_factory=dict)
    over: list[Standing] = field(default_factory=list)
    taken: float = 0.0
    _told: dict[Key, float] = field(default_factory=dict)

    def take(self, conditions: Iterable[Condition]) -> None:
        """Raise what holds, resolve what doesn't any more; what nothing can be said of stays."""
        now = self.taken = self.clock()
        for one in conditions:
            standing = self.open.get(one.key)
            if standing is None and one.holds:
                self.open[one.key] = Standing(one.rule, one.subject, one.server, now, now, one.value, one.value, one.note)
            elif standing is not None and one.holds is False:
                standing.resolved = now
                self.over.append(self.open.pop(one.key))
            elif standing is not None:
                standing.seen = now
                self._go_on(standing, one)

    def _go_on(self, standing: Standing, one: Condition) -> None:
        standing.rule = one.rule
        if one.holds:
            standing.value, standing.note = one.value, one.note
            standing.worst = one.value if one.rule.is_worse(one.value, standing.worst) else standing.worst

    def told(self, one: Standing) -> None:
        """People are told of it now."""
        one.told = self._told[one.key] = self.clock()

    def without_table(self) -> list[News]:
        """What is to be told while the table can't be asked: what was raised or goes on outside of its quiet time, what is over of
        which people had been told. It counts as told."""
        now = self.clock()
        news = [News.of(Event.RESOLVED, one, now) for one in self.over if one.told is not None and not one.said_over]
        for one in self.over:
            one.said_over = True
        for one in [one for one in self.open.values() if self._is_due(one, now)]:
            news.append(News.of(Event.RAISED if one.told is None else Event.REMINDED, one, now))
            self.told(one)
        return news

    def _is_due(self, one: Standing, now: float) -> bool:
        last = max((at for at in (one.told, self._told.get(one.key)) if at is not None), default=float("-inf"))
        return not one.acknowledged and now - last >= 60 * one.rule.quiet_minutes
