"""One circuit breaker for each endpoint: after LIMIT failures in a row it is left alone, then one request at a time tries it.

The state is shared by all processes through Redis where there is one, on the clock of Redis; otherwise, and while Redis is away,
each process has its own.
"""

import hashlib
import hmac
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from core.redis import RedisLink, link

LIMIT = 5  # failures in a row that open it
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds that it stays open: doubled each time that the try afterwards fails
PROBE_SECONDS = 30.0  # after which somebody else may try, when whoever tried has died
LONGEST_REST = 300.0  # seconds that an endpoint may ask to be left alone


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long it stays open, first and at most, and for how long it may ask to be left alone.

    Longer ones are for endpoints where the try afterwards has a price: what is asked then may have been done without an answer.
    """

    first: float = FIRST_PAUSE
    longest: float = LONGEST_PAUSE
    rest: float = LONGEST_REST

    @property
    def beyond(self) -> float:
        """Nothing of ours lasts so long: a state that does is from before a clock was set back."""
        return 2 * max(self.longest, self.rest)


PACE = Pace()

# f: failures in a row. n: how often in a row it opened. u: until when it is left alone. p: until when somebody tries it.
# ARGV: what happens, and its seconds: of a rest, or the jitter's factor. Answers the seconds to wait (0: go), and the failures.
LUA = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local had = redis.call('HMGET', KEYS[1], 'f', 'n', 'u', 'p')
local f, n, u, p = tonumber(had[1] or 0), tonumber(had[2] or 0), tonumber(had[3] or 0), tonumber(had[4] or 0)
local what, given = ARGV[1], tonumber(ARGV[2])
local limit, first, longest, probe = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if u > now + tonumber(ARGV[7]) then f, n, u, p = 0, 0, 0, 0 end
local wait, write = 0, true
if what == 'admit' then
    write = false
    if now < u then
        wait = u - now
    elseif f >= limit then
        if now < p then wait = p - now else p = now + probe; write = true end
    end
elseif what == 'failed' then
    if now >= u or f < limit then
        f, p = f + 1, 0
        if f >= limit then
            n = n + 1
            u = now + math.min(longest, first * 2 ^ (n - 1)) * given
        end
    else
        write = false
    end
elseif what == 'succeeded' then
    if f == 0 then
        write = false
    elseif f < limit or now >= u then
        if f >= limit then u = 0 end
        f, n, p = 0, 0, 0
    else
        write = false
    end
elseif what == 'rest' then
    u, p = math.max(u, now + given), 0
elseif what == 'alive' then
    f, n, u, p = 0, 0, 0, 0
end
if write then
    redis.call('HSET', KEYS[1], 'f', f, 'n', n, 'u', string.format('%.6f', u), 'p', string.format('%.6f', p))
    redis.call('EXPIRE', KEYS[1], tonumber(ARGV[8]))
end
return {string.format('%.6f', wait), f}
"""


@dataclass
class _Local:
    """The same in the memory of this process."""

    clock: Callable[[], float] = time.monotonic
    pace: Pace = PACE
    failures: int = 0
    opened: int = 0
    until: float = 0.0
    probing: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, what: str, given: float) -> tuple[float, int]:
        with self.lock:
            wait = getattr(self, what)(self.clock(), given)
            return wait, self.failures

    def learn(self, wait: float) -> None:
        """All processes together know that it is left alone for so many seconds, or that it isn't."""
        with self.lock:
            self.until = self.clock() + wait

    def admit(self, now: float, _given: float) -> float:
        if now < self.until:
            return self.until - now
        if self.failures >= LIMIT:
            if now < self.probing:
                return self.probing - now
            self.probing = now + PROBE_SECONDS
        return 0.0

    def failed(self, now: float, jitter: float) -> float:
        if now >= self.until or self.failures < LIMIT:  # what was under way as it opened makes nothing longer
            self.failures, self.probing = self.failures + 1, 0.0
            if self.failures >= LIMIT:
                self.opened += 1
                self.until = now + min(self.pace.longest, self.pace.first * 2.0 ** (self.opened - 1)) * jitter
        return 0.0

    def succeeded(self, now: float, _given: float) -> float:
        if self.failures < LIMIT:
            self.failures = 0
        elif now >= self.until:
            self.alive(now, 0.0)
        return 0.0

    def rest(self, now: float, seconds: float) -> float:
        self.until, self.probing = max(self.until, now + seconds), 0.0
        return 0.0

    def alive(self, _now: float, _given: float) -> float:
        self.failures, self.opened, self.until, self.probing = 0, 0, 0.0, 0.0
        return 0.0


class Breaker:
    """Of one endpoint. Safe for threads. With Redis each step is one round trip."""

    def __init__(
        self, name: str, pace: Pace = PACE, *, redis: RedisLink | None = link, clock: Callable[[], float] = time.monotonic
    ) -> None:
        secret = f"outbound:{settings.SECRET_KEY}".encode()
        self._key = f"hms:outbound:{hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()[:32]}"
        self._redis, self._pace = redis, pace
        self._local = _Local(clock, pace)

    def admit(self) -> float:
        """0: go, and say afterwards how it went. Otherwise the seconds until it is worth asking again."""
        return self._tell("admit", 0.0)[0]

    def succeeded(self) -> None:
        """It answered. Closes the breaker after a try; a late answer from before it opened doesn't."""
        self._tell("succeeded", 0.0)

    def failed(self) -> None:
        """It gave no answer, or failed itself."""
        self._tell("failed", random.uniform(0.75, 1.25))  # noqa: S311  (not every process at the same moment)

    def rest(self, seconds: float = 0.0) -> None:
        """It asked to be left alone, for so long; 0: it did not say how long."""
        self._tell("rest", min(max(0.0, seconds) or self._pace.first, self._pace.rest))

    def alive(self) -> None:
        """Somebody has looked: it is well."""
        self._tell("alive", 0.0)

    @property
    def is_open(self) -> bool:
        """As this process knows it. No round trip."""
        return self._local.failures >= LIMIT or self._local.clock() < self._local.until

    def _tell(self, what: str, given: float) -> tuple[float, int]:
        told = self._local.tell(what, given)
        if self._redis is None:
            return told
        pace = self._pace
        kept = round(max(3600.0, pace.beyond))
        constants = (LIMIT, pace.first, pace.longest, PROBE_SECONDS, pace.beyond, kept)
        with self._redis.using() as client:
            if client is not None:
                wait, failures = client.eval(LUA, 1, self._key, what, given, *constants)
                told = float(wait), int(failures)
                if what == "admit":
                    self._local.learn(told[0])
        return told
