"""The cache itself: looks, loads, keeps; and makes stale what a commit has touched."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings

from core.audit.subjects import NOBODY, Subjects, collecting, shown_again
from core.cache import guard, seen
from core.cache.flights import PATIENCE, Flights
from core.cache.generations import Generations, places_of
from core.cache.memory import Entry, Memory
from core.cache.statistics import Statistics
from core.cache.tags import Tags, named, texts_of
from core.cache.values import TTL, Key, lifetime, weigh
from core.tenancy.units import Unit, sees_only_what_is_committed

_loading: ContextVar[bool] = ContextVar("hms_cache_loading", default=False)


def loading() -> bool:
    """Is a loader running? What it reads must come from the primary, never from a replica that lags behind."""
    return _loading.get()


@dataclass(slots=True)
class Look:
    """What a look found. A miss carries what a value loaded from now on has to be stored with.

    `stamp` is an object that stands for one unbroken spell of trust: after a gap in which changes may have gone unheard
    there is another, and nothing kept under the old one counts.
    """

    stamp: object
    places: Sequence[Any]
    vector: Any
    hit: bool = False
    value: Any = None
    redis: bool = False
    stale: bool = False
    subjects: Subjects = NOBODY  # whom the value shows


class Level(Protocol):
    """A way of knowing generations: this machine's file, or Redis. None of its methods raises when Redis is in trouble."""

    def look(self, text: str, tags: Tags) -> Look | None:
        """None when it can't be trusted at this moment."""

    def keep(
        self, text: str, family: str, look: Look, value: Any, seconds: float, weight: int, subjects: Subjects = NOBODY
    ) -> None: ...

    def alone(self, text: str) -> AbstractContextManager[bool]:
        """Let one process at a time load a key. False: another has just done so, look again."""

    def bump(self, unit: Unit) -> bool:
        """The unit has committed: what depends on its tags is stale from now on. False if not everybody knows yet."""


class LocalLevel:
    """Values in memory, generations in the machine's file; trusted while `stamp` gives one (core.listening)."""

    def __init__(self, memory: Memory, generations: Generations, stamp: Callable[[], object | None]) -> None:
        self.memory = memory
        self.generations = generations
        self.stamp = stamp

    def look(self, text: str, tags: Tags) -> Look | None:
        stamp = self.stamp()
        if stamp is None or not self.generations.shared:
            return None
        entry = self.memory.get(text)
        if entry is not None and entry.stamp is stamp and entry.expires > time.monotonic():
            if self.generations.read(entry.places) == entry.vector:
                return Look(stamp, entry.places, entry.vector, hit=True, value=entry.value, subjects=entry.subjects)
            return Look(stamp, entry.places, self.generations.read(entry.places), stale=True)
        places = places_of(texts_of(named(tags)))
        return Look(stamp, places, self.generations.read(places))

    def keep(
        self, text: str, family: str, look: Look, value: Any, seconds: float, weight: int, subjects: Subjects = NOBODY
    ) -> None:
        expires = time.monotonic() + seconds
        self.memory.put(text, Entry(family, value, look.stamp, look.places, look.vector, expires, weight, subjects))

    def alone(self, text: str) -> AbstractContextManager[bool]:
        return nullcontext(True)

    def bump(self, unit: Unit) -> bool:
        """At once for this machine; other machines hear it from PostgreSQL."""
        self.generations.bump(unit.touched)
        self.generations.note_heard(unit.mark)
        if unit.delivered:
            self.generations.note_told(unit.mark)
        return False


class Cache:
    """One for each process: `core.cache.cache`."""

    def __init__(self, local: LocalLevel, shared: Level | None = None) -> None:
        self.local = local
        self.shared = shared
        self.statistics = Statistics()
        self._flights = Flights()

    def get_or_set[V](self, key: Key, *, tags: Tags, load: Callable[[], V], ttl: TTL = TTL.DEFAULT) -> V:
        """The value under `key`, loaded if need be. `tags` may be a callable: then it is asked only when nothing is found.

        What `load` returns is immutable plain data, else TypeError. Inside a transaction that has written, and wherever
        nothing can be trusted, `load` runs and its value is not kept. Statements: the loader's, none on a hit.

        Whom `load` shows (core.audit.subjects) is kept beside the value, and is shown again whenever the value is given out.
        """
        text = key.text()
        deadline = time.monotonic() + PATIENCE
        while found := self._look(text, tags):
            if found[1].hit:
                hit: V = self._hit(key, found[1])
                return hit
            if found[1].stale:
                self.statistics.note(key.family, invalidated=1)
            if self._flights.board(text, deadline):
                try:
                    with found[0].alone(text) as may_load:
                        if may_load or time.monotonic() > deadline:
                            return self._load(key, text, tags, load, ttl)
                finally:
                    self._flights.land(text)
            self.statistics.note(key.family, waited=1)
        return self._run(key, tags, load, passed=True)[0]

    def kept(self, family: str, text: str) -> Any | None:
        """What is kept under a key's `text()` and still true, or None. Nothing is loaded; no statement."""
        found = self._look(text, ())
        if found is None or not found[1].hit:
            return None
        self.statistics.hit(family, redis=found[1].redis)
        shown_again(found[1].subjects)
        return found[1].value

    def committed(self, unit: Unit) -> None:
        """What the unit touched is stale, for every process that can be reached, before this returns."""
        unit.delivered = self.shared is not None and self.shared.bump(unit)
        self.local.bump(unit)
        seen.note(unit.mark, told=unit.delivered)

    def clear(self) -> None:
        """Empty this process's memory. Everywhere: `manage.py clear_cache`."""
        self.local.memory.clear()

    # --- Inside -----------------------------------------------------------------------------------------------------------
    def _look(self, text: str, tags: Tags) -> tuple[Level, Look] | None:
        if not sees_only_what_is_committed():
            return None
        known = seen.known()
        for level in (self.shared if known.redis else None, self.local if known.here else None):
            if level is not None and (look := level.look(text, tags)) is not None:
                return level, look
        return None

    def _hit(self, key: Key, look: Look) -> Any:
        self.statistics.hit(key.family, redis=look.redis)
        shown_again(look.subjects)
        return look.value

    def _load[V](self, key: Key, text: str, tags: Tags, load: Callable[[], V], ttl: TTL) -> V:
        """Now that nobody else loads it, look once more: somebody may just have done so. Else load and keep."""
        found = self._look(text, tags)
        if found is not None and found[1].hit:
            value: V = self._hit(key, found[1])
            return value
        value, subjects = self._run(key, tags, load, passed=found is None)
        weight = weigh(value) + len(subjects.patients)
        if found is not None and sees_only_what_is_committed():  # else the loader itself wrote, or locked
            level, look = found
            level.keep(text, key.family, look, value, lifetime(ttl, value), weight, subjects)
        return value

    def _run[V](self, key: Key, tags: Tags, load: Callable[[], V], *, passed: bool) -> tuple[V, Subjects]:
        """Run the loader, and see whom it shows; under the guard also that its tags cover it and that its value may be kept."""
        guarded = bool(settings.HMS_CACHE_GUARD)
        token = _loading.set(True)
        started = time.perf_counter()
        try:
            with collecting() as shown, guard.watching(key.family, named(tags)) if guarded else nullcontext():
                value = load()
        finally:
            _loading.reset(token)
            self.statistics.loaded(key.family, time.perf_counter() - started, passed=passed)
        if guarded:
            weigh(value)
        return value, shown.subjects()
