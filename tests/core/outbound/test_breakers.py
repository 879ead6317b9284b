"""The breaker's states, by the same table in the memory of a process and in Redis; shared there, and not lost without it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.outbound import breakers
from core.outbound.breakers import LIMIT, Breaker, Pace
from core.redis import RedisLink
from tests.factories.redis_server import RedisServer, redis_server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def make_breaker(request: pytest.FixtureRequest) -> Callable[[Pace], Breaker]:
    where = None if request.param == "memory" else RedisLink(request.getfixturevalue("redis").client)
    return lambda pace: Breaker(request.node.name, pace, redis=where)


@pytest.fixture
def breaker(make_breaker: Callable[[Pace], Breaker]) -> Breaker:
    return make_breaker(Pace(first=0.1))


def until_it_may_be_tried(breaker: Breaker) -> None:
    while breaker.admit():
        pass


def fail(breaker: Breaker, times: int = LIMIT) -> None:
    for _ in range(times):
        assert breaker.admit() == 0
        breaker.failed()


def test_failures_in_a_row_open_it(make_breaker: Callable[[Pace], Breaker]) -> None:
    breaker = make_breaker(Pace(first=10.0))
    fail(breaker, LIMIT - 1)
    breaker.succeeded()
    fail(breaker)
    assert 0 < breaker.admit() <= 12.5


def test_one_alone_may_try_afterwards(breaker: Breaker) -> None:
    fail(breaker)
    until_it_may_be_tried(breaker)
    assert 25 < breaker.admit() <= breakers.PROBE_SECONDS
    breaker.succeeded()
    assert [breaker.admit(), breaker.admit()] == [0, 0]


def test_each_try_that_fails_doubles_the_pause(breaker: Breaker) -> None:
    fail(breaker)
    waits = []
    for _ in range(3):
        until_it_may_be_tried(breaker)
        began = time.monotonic()
        breaker.failed()
        waits.append((breaker.admit(), time.monotonic() - began))
    for (rest, gone), pause in zip(waits, (0.2, 0.4, 0.8), strict=True):
        assert pause * 0.75 - gone - 0.01 <= rest <= pause * 1.25
    breaker.alive()
    assert breaker.admit() == 0


def test_what_was_under_way_as_it_opened_changes_nothing(make_breaker: Callable[[Pace], Breaker]) -> None:
    breaker = make_breaker(Pace(first=10.0))
    fail(breaker)
    before = breaker.admit()
    for _ in range(20):
        breaker.failed()
    breaker.succeeded()
    assert 0 < breaker.admit() <= before


def test_a_rest_is_no_failure(breaker: Breaker) -> None:
    breaker.rest(10)
    assert 0 < breaker.admit() <= 10
    breaker.alive()
    breaker.rest(0.1)
    until_it_may_be_tried(breaker)
    assert breaker.admit() == 0, "no single try is needed"
    breaker.rest(100_000)
    assert breaker.admit() <= breakers.LONGEST_REST
    breaker.succeeded()
    assert breaker.admit() > 0, "an answer to somebody else ends no rest"


def test_it_keeps_the_pace_it_was_given(make_breaker: Callable[[Pace], Breaker]) -> None:
    breaker = make_breaker(Pace(first=30.0, longest=40.0, rest=3600.0))
    breaker.rest(100_000)
    assert 3500 < breaker.admit() <= 3600
    breaker.alive()
    breaker.rest()
    assert 29 < breaker.admit() <= 30, "who asks for no time is left alone for the first pause"
    breaker.alive()
    fail(breaker)
    assert 22 < breaker.admit() <= 37.5


def test_processes_share_it_through_redis(redis: RedisServer) -> None:
    one, other = (Breaker("shared", redis=RedisLink(redis.client)) for _ in range(2))
    fail(one)
    assert not other.is_open
    assert other.admit() > 0 and other.is_open
    other.alive()
    assert one.admit() == 0
    keys: Any = redis.client().keys("hms:outbound:*")
    assert all(b"shared" not in key for key in keys)


def test_without_redis_each_process_goes_on_by_itself() -> None:
    with redis_server() as server:
        breaker = Breaker("lost", redis=RedisLink(server.client))
        fail(breaker)
        server.kill()
        assert breaker.admit() > 0, "what it knew itself still holds"
        breaker.alive()
        assert breaker.admit() == 0
