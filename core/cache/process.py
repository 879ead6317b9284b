"""The parts put together: this process's cache, its memory, its listener, and Redis if there is one."""

import json
import time
from collections import deque
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connections

from core.cache.generations import Generations
from core.cache.memory import Memory
from core.cache.secrecy import Secrecy
from core.cache.seen import Heard
from core.cache.statistics import summed
from core.cache.store import Cache, LocalLevel
from core.listening import listener
from core.memory.trimming import add_trimmer
from core.redis import RedisLink, link
from core.tenancy.announcements import CHANNEL

if TYPE_CHECKING:
    from core.cache.shared import SharedLevel

TRIMMED = 4  # to a quarter, when the process is short of memory
PUBLISH_SECONDS = 5.0  # between two times that a process tells the others its figures
MOST_OWED = 1000  # units that Redis is still to be told of: those that were forgotten ask the source


class Ears:
    """What this process's cache does with what the listener hears."""

    channel = CHANNEL

    def __init__(self, memory: Memory, generations: Generations, shared: "SharedLevel | None") -> None:
        self.memory, self.generations, self.shared = memory, generations, shared
        self.heard = Heard()  # all notices of the unit
        self.told = Heard()  # and Redis was told of them
        self._hearing: deque[tuple[str, float]] = deque()  # more notices of the same unit may follow
        self._owed: deque[str] = deque(maxlen=MOST_OWED)
        self._published = 0.0

    def hear(self, payload: str) -> None:
        """Somebody has committed. The writer, or another listener, may have made it known already."""
        mark, *said = payload.split("\n")
        tags = tuple(said)
        if self.shared is not None:
            told = self.generations.was_told(mark) or self.generations.was_told(payload)
            if not told and self.shared.membership.tell(mark, payload, tags):
                self.generations.note_told(payload)
        if not (self.generations.was_heard(mark) or self.generations.was_heard(payload)):
            self.generations.bump(tags)
            self.generations.note_heard(payload)
        self._hearing.append((mark, time.monotonic()))

    def gap(self) -> None:
        """Nobody listened for a while."""
        self.memory.clear()
        self._hearing.clear()
        self._owed.clear()
        if self.shared is not None:
            self.shared.membership.leave()

    def listening(self) -> None:
        """The heartbeat says when there is something to trust."""

    def beat(self, began: float) -> None:
        """All that was committed before `began` has been heard."""
        while self._hearing and self._hearing[0][1] < began:  # so it was committed before, with whatever else it told
            mark, _ = self._hearing.popleft()
            self.heard.add(mark)
            self._owed.append(mark)
        if self.shared is not None:
            if self.shared.membership.beat(began):
                while self._owed:
                    self.told.add(self._owed.popleft())
            if began - self._published > PUBLISH_SECONDS:
                self._published = began
                self.shared.publish(self.shared.membership.name, json.dumps(cache.statistics.snapshot()))
        if not self.generations.is_the_file():
            self.generations.reopen()
            self.memory.clear()


def _database() -> str:
    return str(connections["default"].settings_dict["NAME"])


generations = Generations(settings.VAR_DIR / "run" / f"cache-generations-{settings.DATABASES['default']['NAME']}")
memory = Memory(settings.HMS_CACHE_BYTES)
add_trimmer("core.cache", lambda: memory.weight, lambda: memory.trim(memory.weight // TRIMMED))
secrecy = Secrecy(_database)


def _shared_level(link: RedisLink) -> "SharedLevel":
    """Imported only where there is a Redis: its client takes nine megabytes of every process."""
    from core.cache.shared import SharedLevel

    return SharedLevel(memory, secrecy, link)


shared = _shared_level(link) if link is not None else None
ears = Ears(memory, generations, shared)
listener.join(ears)
cache = Cache(LocalLevel(memory, generations, listener.stamp), shared)


def figures() -> tuple[dict[str, dict[str, float]], int]:
    """The figures by family, and of how many processes: all that listen with Redis, else this one alone."""
    published = [json.loads(one) for one in shared.published()] if shared is not None else []
    if not published:
        return cache.statistics.snapshot(), 1
    return summed(published), len(published)
