"""The sliding window against an oracle that counts every hit anew: in memory, and the same histories in Redis."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import composite, integers, lists, sampled_from, sets, tuples

from core.redis import RedisLink
from core.security.limiting import redis_log
from core.security.limiting.limiter import Limiter
from core.security.limiting.memory_log import MemoryLog
from core.security.limiting.rates import MOST, NotARate, Rate, Window, rate_of, shares_of, validate_rate
from core.security.limiting.verdicts import Demand, Standing, tightest
from tests.factories.hammer import WINDOWS, started, told_by
from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.windows import most_in_any

MINUTE = 60_000_000
type Step = tuple[int, list[Demand], bool]
RATES: list[Rate] = [(Window(1, 10),), (Window(3, 20),), (Window(2, 7), Window(5, 50)), (Window(4, 10), Window(4, 40))]


# --- What a limit is ----------------------------------------------------------------------------------------------------
def test_a_limit_is_read_as_it_is_written() -> None:
    assert rate_of("60/m,1000/h") == (Window(60, MINUTE), Window(1000, 60 * MINUTE))
    assert rate_of(" 5/s , 1/d") == (Window(5, 1_000_000), Window(1, 1440 * MINUTE))


@pytest.mark.parametrize(
    "text", ["", "60", "0/m", "60/w", "m/60", "60/m;1000/h", "60/m,", "-1/m", "1.5/m", f"{MOST + 1}/d", "６/m"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(NotARate):
        rate_of(text)
    with pytest.raises(ValidationError):
        validate_rate(text)


@given(limit=integers(1, 2000), processes=integers(1, 64), span=sampled_from([1_000_000, MINUTE, 60 * MINUTE]))
def test_shares_are_never_nothing_and_together_never_more(limit: int, processes: int, span: int) -> None:
    """Each process allows something; all of them together no more a time than the limit, in a longer time where they are many."""
    (share,) = shares_of((Window(limit, span),), processes)
    assert share.limit >= 1
    assert share.limit * processes * span <= limit * share.span
    if limit >= processes:
        assert (share.span, share.limit * processes <= limit) == (span, True)


# --- Histories ----------------------------------------------------------------------------------------------------------
@dataclass
class Oracle:
    """Every hit that was let in, by key; each question goes through all of them."""

    hits: dict[str, list[int]] = field(default_factory=dict)

    def take(self, now: int, demands: list[Demand], hit: bool) -> list[Standing]:
        seen = [
            (window, sorted(at for at in self.hits.get(demand.name, []) if now - window.span < at <= now))
            for demand in demands
            for window in demand.rate
        ]
        let_in = hit and all(len(hits) < window.limit for window, hits in seen)
        if let_in:
            for demand in demands:
                self.hits.setdefault(demand.name, []).append(now)
        return [
            Standing(
                window.limit,
                window.limit - len(hits) - let_in,
                hits[0] + window.span - now if hits else window.span,
                refused=len(hits) == window.limit,
            )
            for window, hits in seen
        ]


@composite
def histories(draw: Any) -> list[Step]:
    """At which times (microseconds from one to the next) which keys were hit together, or only looked at; a key has one rate."""
    step = tuples(integers(0, 12), sets(integers(0, 3), min_size=1, max_size=3), sampled_from([True, True, True, False]))
    steps = draw(lists(step, min_size=1, max_size=60))
    return [(pause, [Demand(f"key {number}", RATES[number]) for number in sorted(keys)], hit) for pause, keys, hit in steps]


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@given(history=histories())
@settings(max_examples=200)
def test_memory_says_what_the_oracle_says(history: list[Step]) -> None:
    clock, oracle = Clock(), Oracle()
    log = MemoryLog(clock)
    for pause, demands, hit in history:
        clock.now += pause
        assert log.take(demands, hit=hit) == oracle.take(clock.now, demands, hit)
    assert log.size[1] == sum(len(one.stamps) for one in log._logs.values())


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def clocked(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """A Redis whose script reads the time from a key: the one thing in it that is not as in earnest."""
    client = own_redis.client()
    assert redis_log.LUA.count("redis.call('TIME')") == 1
    monkeypatch.setattr(redis_log, "LUA", redis_log.LUA.replace("redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, -1)"))
    monkeypatch.setattr(redis_log, "SHA", "0" * 40)

    def at(now: int) -> Any:
        client.delete("clock")
        client.rpush("clock", now // 1_000_000, now % 1_000_000)
        return client

    return at


@given(history=histories())
@example(history=[(0, [Demand("key 1", RATES[1])], True)] * 8 + [(20, [Demand("key 1", RATES[1])], True)] * 8)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redis_says_what_the_oracle_says(clocked: Callable[[int], Any], history: list[Step]) -> None:
    now, oracle = 1_700_000_000_000_000, Oracle()
    clocked(now).flushall()
    for pause, demands, hit in history:
        now += pause
        assert redis_log.take(clocked(now), demands, hit=hit) == oracle.take(now, demands, hit)


def test_a_clock_that_is_put_back_lets_in_no_more_and_locks_nobody_out(clocked: Callable[[int], Any]) -> None:
    """A little (time was adjusted): it stands still. By more than a window: it begins anew."""
    demands, now = [Demand("back", (Window(5, MINUTE),))], 1_700_000_000_000_000

    def refused(at: int) -> bool:
        (standing,) = redis_log.take(clocked(at), demands)
        assert 0 < standing.wait <= MINUTE
        return standing.refused

    clocked(now).flushall()
    assert [refused(now + ahead) for ahead in (0, -2000, -1000, -900, -800)] == [False] * 5
    assert [refused(now + MINUTE - 500) for _ in range(2)] == [True, True]
    assert refused(now - 10 * MINUTE) is False


def test_what_redis_keeps_is_short_and_ends(own_redis: RedisServer) -> None:
    client = own_redis.client()
    client.flushall()
    for _ in range(20):
        redis_log.take(client, [Demand("short", (Window(5, 10_000_000), Window(7, MINUTE)))])
    assert client.llen("short") == 5
    assert 0 < client.pttl("short") <= 61_000


# --- In memory ----------------------------------------------------------------------------------------------------------
def test_memory_is_bounded_and_forgets_who_came_longest_ago() -> None:
    clock = Clock()
    log = MemoryLog(clock, most_keys=100, most_stamps=250)
    demand = [Demand("kept", (Window(50, MINUTE),))]
    for number in range(5000):
        clock.now += 1
        log.take([Demand(f"stranger {number}", (Window(5, MINUTE),))])
        if number % 90 == 0:
            log.take(demand)
        keys, stamps = log.size
        assert keys <= 100 and stamps <= 250
    assert log.take(demand)[0].remaining < 10, "whoever keeps coming is not forgotten"
    clock.now += 2 * MINUTE
    for _ in range(60):
        log.take(demand)
    assert log.size == (1, 50)


def test_memory_forgets_what_no_window_reaches_any_more() -> None:
    clock = Clock()
    log = MemoryLog(clock)
    demand = [Demand("never refused", (Window(100_000, MINUTE),))]
    for _ in range(5000):
        clock.now += MINUTE // 100
        log.take(demand)
    assert log.size[1] <= 200


def test_threads_together_are_let_in_exactly_as_often_as_the_limit_says() -> None:
    log, demand = MemoryLog(lambda: 1_000_000), [Demand("all", (Window(500, MINUTE),))]
    let_in: list[bool] = []

    def hammer() -> None:
        let_in.extend(not log.take(demand)[0].refused for _ in range(200))

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert (len(let_in), sum(let_in)) == (1600, 500)


def test_the_tightest_window_is_the_one_that_refuses_first() -> None:
    minute, hour = Standing(60, 30, MINUTE), Standing(1000, 20, 9 * MINUTE)
    assert tightest([minute, hour]) == hour
    assert tightest([Standing(60, 0, 5, refused=False), Standing(60, 0, 9, refused=True)]).refused
    assert (Standing(1, 0, 1).seconds, Standing(1, 0, 1_000_001).seconds) == (1, 2)


# --- With Redis, as in earnest ------------------------------------------------------------------------------------------
def limiter_for(server: RedisServer, processes: int = 2, patience: float = 2.0) -> Limiter:
    def connect() -> Any:
        return redis.Redis(port=server.port, protocol=2, socket_timeout=patience, socket_connect_timeout=patience)

    return Limiter(RedisLink(connect), MemoryLog(), processes=processes)


def let_in(limiter: Limiter, demands: list[Demand], times: int) -> int:
    return sum(not any(one.refused for one in limiter.take(demands)) for _ in range(times))


def test_without_redis_each_process_lets_in_its_share_and_after_it_all_count_together(own_redis: RedisServer) -> None:
    own_redis.client().flushall()
    one, other = limiter_for(own_redis), limiter_for(own_redis)
    demands = [Demand("shared", (Window(10, 60 * MINUTE),))]
    assert let_in(one, demands, 6) + let_in(other, demands, 6) == 10
    own_redis.kill()
    try:
        assert (let_in(one, demands, 20), let_in(other, demands, 20)) == (5, 5)
    finally:
        own_redis.start()
    for limiter in (one, other):
        limiter.link.retry_now()  # type: ignore[union-attr]
    assert let_in(one, demands, 20) + let_in(other, demands, 20) == 10, "the restarted Redis counts anew"


def test_a_stalled_redis_is_asked_once_and_then_left_alone(own_redis: RedisServer) -> None:
    limiter = limiter_for(own_redis, patience=0.5)
    demands = [Demand("stalled", (Window(100, 60 * MINUTE),))]
    assert let_in(limiter, demands, 3) == 3
    own_redis.stall()
    try:
        asked = _counting(limiter)
        assert let_in(limiter, demands, 200) == 50
        assert asked() <= 5, "one try a second, not one for each request"
    finally:
        own_redis.resume()


def _counting(limiter: Limiter) -> Callable[[], int]:
    """How often Redis is asked from now on."""
    client, asked = limiter.link._client, []  # type: ignore[union-attr]
    original = client.evalsha

    def evalsha(*args: Any) -> Any:
        asked.append(1)
        return original(*args)

    client.evalsha = evalsha
    return lambda: len(asked)


def test_eight_processes_never_get_more_than_the_limit_in_any_window(own_redis: RedisServer) -> None:
    own_redis.client().flushall()
    reports = told_by(started(own_redis.port, 2.5))
    told = sorted(now for _, hits in reports for _, now, _ in hits)
    assert all(before <= now <= after for _, hits in reports for before, now, after in hits), "Redis counts on the common clock"
    assert sum(asked for asked, _ in reports) > 2 * len(told), "most were refused"
    for window in WINDOWS:
        assert most_in_any(told, window.span) == window.limit, "reached, and never passed"
