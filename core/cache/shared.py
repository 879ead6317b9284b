"""The second level: values and generations in Redis, seen by all machines; and what happens when Redis is in trouble.

Every read asks Redis for the generations, so whatever a commit has bumped is stale for everybody. Nothing is believed
while the *lease* is missing: it says that some process has heard, and told Redis, all that was committed a second ago.
"""

import logging
import pickle
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core.audit.subjects import NOBODY, Subjects
from core.cache.memory import Entry, Memory
from core.cache.secrecy import Secrecy
from core.cache.store import Look
from core.cache.tags import Tags, named, texts_of
from core.listening import TRUSTED
from core.redis import Client, RedisLink
from core.security.crypto import Undecipherable
from core.tenancy.announcements import EVERYTHING
from core.tenancy.units import Unit

logger = logging.getLogger(__name__)

GENERATION_SECONDS = 7200  # twice what most values live; one that has gone is made anew, at random, and costs a miss
HEARD_SECONDS = 60
LARGEST = 1024 * 1024  # bytes of a value that goes to Redis
LOCK_MILLISECONDS = 2000
MOST_UNTOLD = 1000  # notices that wait for Redis
FIGURES_SECONDS = 30
CLOCK_EVERY = 20  # heartbeats between two looks at the clock of Redis
OVERLAP_SECONDS = 2.0  # to wait for the proof that nobody missed anything
LOCK_PATIENCE = 0.5  # seconds between two looks at a value that another process is loading

# The generation of everything has no end: with it all of Redis would go stale at one moment.
BUMP = """
if ARGV[1] == 'writer' then
    redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
elseif redis.call('EXISTS', KEYS[1]) == 1 or not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then
    return 0
end
for i = 3, #KEYS do
    if KEYS[i] == ARGV[4] then
        redis.call('SET', KEYS[i], ARGV[i + 2])
    else
        redis.call('SET', KEYS[i], ARGV[i + 2], 'EX', ARGV[3])
    end
end
return 1
"""
ENSURE = """
local found = {}
for i, key in ipairs(KEYS) do
    local generation = redis.call('GET', key)
    if not generation then
        generation = ARGV[i + 2]
        if key == ARGV[2] then
            redis.call('SET', key, generation)
        else
            redis.call('SET', key, generation, 'EX', ARGV[1])
        end
    end
    found[i] = generation
end
return found
"""
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# A Redis that was restarted may hold a snapshot with generations of yesterday: whoever meets it first makes all stale.
MEET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    redis.call('SET', KEYS[2], ARGV[2])
    redis.call('SET', KEYS[1], ARGV[1])
    return 1
end
return 0
"""


class SharedLevel:
    """Implements core.cache.store.Level. While Redis is in trouble (`core.redis`) it looks for nothing and keeps nothing."""

    def __init__(self, memory: Memory, secrecy: Secrecy, link: RedisLink) -> None:
        self.memory = memory
        self.secrecy = secrecy
        self.link = link
        self.link.greet = self.meet
        self.using = link.using
        self.stamp = object()
        self.membership = Membership(self)

    @property
    def _everything(self) -> str:
        return self.secrecy.name("g", EVERYTHING)

    # --- Reading and keeping ----------------------------------------------------------------------------------------------
    def look(self, text: str, tags: Tags) -> Look | None:
        """One round trip; a second one where a tag has no generation yet."""
        entry = self.memory.get(text)
        with self.using() as client:
            if client is None:
                return None
            stale = False
            if entry is not None and entry.stamp is self.stamp and entry.expires > time.monotonic():
                lease, *vector = client.mget([self.secrecy.name("lease"), *entry.places])
                if lease is None:
                    return None
                if vector == entry.vector:
                    return Look(self.stamp, entry.places, vector, hit=True, value=entry.value, subjects=entry.subjects)
                stale = True
            places = tuple(self.secrecy.name("g", tag) for tag in texts_of(named(tags)))
            lease, *vector, sealed = client.mget([self.secrecy.name("lease"), *places, self.secrecy.name("v", text)])
            if lease is None:
                return None
            if None in vector:
                vector = self._ensured(client, places)
            if sealed is not None and (found := self._opened(text, sealed)) and found[0] == vector:
                return self._adopted(text, places, *found)
            return Look(self.stamp, places, vector, stale=stale or sealed is not None)
        return None

    def keep(
        self, text: str, family: str, look: Look, value: Any, seconds: float, weight: int, subjects: Subjects = NOBODY
    ) -> None:
        expires = time.monotonic() + seconds
        self.memory.put(text, Entry(family, value, look.stamp, look.places, look.vector, expires, weight, subjects))
        plain = pickle.dumps((look.vector, time.time() + seconds, family, weight, value, *subjects), 5)
        if len(plain) > LARGEST:
            return
        with self.using() as client:
            if client is not None:
                client.set(self.secrecy.name("v", text), self.secrecy.seal(text, plain), px=max(1, int(seconds * 1000)))

    def _adopted(
        self, text: str, places: tuple[str, ...], vector: Any, expires: float, family: str, weight: int, value: Any, *who: Any
    ) -> Look:
        seconds, subjects = expires - time.time(), Subjects(*who)
        self.memory.put(text, Entry(family, value, self.stamp, places, vector, time.monotonic() + seconds, weight, subjects))
        return Look(self.stamp, places, vector, hit=True, value=value, redis=True, subjects=subjects)

    def _opened(self, text: str, sealed: bytes) -> Any:
        """What `keep` put there, or None: another key or another code made it."""
        try:
            return pickle.loads(self.secrecy.open(text, sealed))  # noqa: S301  (authenticated: only HMS can have made it)
        except (Undecipherable, pickle.UnpicklingError, AttributeError, ImportError) as error:
            logger.warning("A cached value can't be read (%s); it is loaded anew.", type(error).__name__)
            return None

    def _ensured(self, client: Client, places: Sequence[str]) -> list[bytes]:
        fresh = [secrets.token_bytes(8) for _ in places]
        return list(client.eval(ENSURE, len(places), *places, GENERATION_SECONDS, self._everything, *fresh))

    @contextmanager
    def alone(self, text: str) -> Iterator[bool]:
        """One process at a time: a lock that ends by itself. Whoever finds it taken waits a little and looks again."""
        name, token = self.secrecy.name("l", text), secrets.token_hex(8)
        taken = True
        with self.using() as client:
            if client is not None:
                taken = bool(client.set(name, token, nx=True, px=LOCK_MILLISECONDS))
        if not taken:
            self._wait_for(name)
            yield False
            return
        try:
            yield True
        finally:
            with self.using() as client:
                if client is not None:
                    client.eval(RELEASE, 1, name, token)

    def _wait_for(self, name: str) -> None:
        until = time.monotonic() + LOCK_PATIENCE
        while time.monotonic() < until:
            with self.using() as client:
                if client is None or not client.exists(name):
                    return
            time.sleep(0.01)

    # --- Making stale -----------------------------------------------------------------------------------------------------
    def bump(self, unit: Unit) -> bool:
        """Told by the writer after its commit. False: Redis doesn't know; it will hear of it from a listener."""
        return self._bump("writer", unit.mark, "", unit.touched)

    def flush(self, mark: str, payload: str, tags: Sequence[str]) -> bool:
        """Told by a listener. Only the first who tells of this notice changes anything."""
        return self._bump("listener", mark, payload, tags)

    def _bump(self, who: str, mark: str, payload: str, tags: Sequence[str]) -> bool:
        name = self.secrecy.name
        keys = [name("heard", mark), name("heard", payload), *(name("g", tag) for tag in tags)]
        fresh = [secrets.token_bytes(8) for _ in tags]
        with self.using() as client:
            if client is not None:
                client.eval(BUMP, len(keys), *keys, who, HEARD_SECONDS, GENERATION_SECONDS, self._everything, *fresh)
                return True
        return False

    # --- Figures ----------------------------------------------------------------------------------------------------------
    def publish(self, process: str, figures: str) -> None:
        """Let the others see this process's figures for a while."""
        with self.using() as client:
            if client is not None:
                name = self.secrecy.name("figures", process)
                client.sadd(self.secrecy.name("processes"), process)
                client.set(name, figures, ex=FIGURES_SECONDS)

    def published(self) -> list[str]:
        """What every process last published. Three commands."""
        found: list[bytes | None] = []
        with self.using() as client:
            if client is not None and (processes := sorted(client.smembers(self.secrecy.name("processes")))):
                found = client.mget([self.secrecy.name("figures", one.decode()) for one in processes])
                if gone := [one for one, figures in zip(processes, found, strict=True) if figures is None]:
                    client.srem(self.secrecy.name("processes"), *gone)
        return [figures.decode() for figures in found if figures is not None]

    # --- A Redis that is new ----------------------------------------------------------------------------------------------
    def meet(self, connection: Any) -> None:
        """For every new connection, before its first command: is this still the Redis whose generations count?"""
        connection.on_connect()
        connection.send_command("INFO", "server")
        lines = bytes(connection.read_response()).decode().splitlines()
        run = next(line.partition(":")[2] for line in lines if line.startswith("run_id:"))
        names = self.secrecy.name("run"), self.secrecy.name("g", EVERYTHING)
        connection.send_command("EVAL", MEET, 2, *names, run, secrets.token_bytes(8))
        if connection.read_response():
            logger.info("This Redis is new to the cache: everything in it is stale.")


class Membership:
    """One listening process's part in the lease. Only the listener's thread calls it.

    A process that begins to listen may renew the lease only when nobody can have missed anything in between: it has seen
    another member renew it after a heartbeat that began when this one was listening already; or else it makes all stale.
    """

    def __init__(self, level: SharedLevel) -> None:
        self.level = level
        self.name = secrets.token_hex(6)
        self.is_member = False
        self._count = 0
        self._offset = 0.0  # seconds from our monotonic clock to Redis's
        self._first_seen: dict[str, int] = {}
        self._joining_since = 0.0
        self._untold: deque[tuple[str, str, Sequence[str]]] = deque()

    def leave(self) -> None:
        """Something went unheard, or can't be told any more. From now on nothing does."""
        self.is_member = False
        self._first_seen.clear()
        self._untold.clear()
        self._joining_since = 0.0

    def tell(self, mark: str, payload: str, tags: Sequence[str]) -> bool:
        """A notice was heard. What Redis can't be told now (False) it is told later, before the lease is renewed."""
        if not self._untold and self.level.flush(mark, payload, tags):
            return True
        self._untold.append((mark, payload, tags))
        if len(self._untold) > MOST_UNTOLD:
            self.leave()
        return False

    def beat(self, began: float) -> bool:
        """All that was committed before `began` has been heard. Does Redis know it?"""
        while self._untold:
            if not self.level.flush(*self._untold[0]):
                return False
            self._untold.popleft()
        with self.level.using() as client:
            if client is not None and (self.is_member or self._joined(client)):
                self._renew(client, began)
        return self.is_member

    def _joined(self, client: Client) -> bool:
        found = client.get(self.level.secrecy.name("lease"))
        self._joining_since = self._joining_since or time.monotonic()
        overlaps = False
        if found is not None:
            who, _, count = bytes(found).decode().partition(":")
            overlaps = int(count) >= self._first_seen.setdefault(who, int(count)) + 2
        if found is None or time.monotonic() - self._joining_since > OVERLAP_SECONDS:
            self._make_all_stale(client)
        elif not overlaps:
            return False
        self.is_member = True
        return True

    def _make_all_stale(self, client: Client) -> None:
        client.set(self.level.secrecy.name("g", EVERYTHING), secrets.token_bytes(8))

    def _renew(self, client: Client, began: float) -> None:
        """Until a moment on Redis's own clock, so that a command that was held up doesn't prolong it."""
        if self._count % CLOCK_EVERY == 0:
            seconds, microseconds = client.time()
            self._offset = seconds + microseconds / 1e6 - time.monotonic()
        self._count += 1
        until = int((began + TRUSTED + self._offset) * 1000)
        client.set(self.level.secrecy.name("lease"), f"{self.name}:{self._count}", pxat=until)
