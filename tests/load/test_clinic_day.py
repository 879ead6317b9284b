"""A scripted day over HTTP: how much the cache takes off the database, and what people notice when Redis stalls and dies."""

import time

import pytest

from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.server import serving
from tests.load.clinic_day import Clinics, Day, hit_rate

SECONDS = 40
BOUND = 2.0  # seconds that nobody waits longer than, whatever Redis does


def told(name: str, day: Day, hits: float) -> None:
    print(  # noqa: T201 (shown with -s, and when it fails)
        f"{name}: {sum(day.requests.values())} requests, {dict(day.statuses)}; the cache had {hits:.1%} of what it was asked; "
        f"{day.without_database():.1%} of the reads sent no statement, all together {day.load():.1%} of those without a cache; "
        f"slowest answer {day.slowest() * 1000:.0f} ms"
    )


@pytest.mark.slow
@pytest.mark.server
def test_the_cache_has_nine_of_ten_things_on_a_scripted_day() -> None:
    # One process, since each has figures of its own.
    variables = {"HMS_DEMO": "1", "WEB_CONCURRENCY": "1"}
    with serving("clinic_day", commands=[["seed_demo"]], variables=variables) as server:
        with Clinics(server) as day:
            time.sleep(SECONDS)
        hits, processes = hit_rate(server)
    told("without Redis", day, hits)
    assert processes == 1
    assert set(day.statuses) <= {200, 201, 409}
    assert hits > 0.9 and day.load() < 0.15


@pytest.mark.slow
@pytest.mark.server
def test_nobody_sees_an_error_while_redis_stalls_dies_and_returns() -> None:
    with redis_server() as redis:
        variables = {"HMS_DEMO": "1", "REDIS_URL": redis.url}
        with serving("clinic_day_redis", commands=[["seed_demo"]], variables=variables) as server:
            with Clinics(server) as day:
                time.sleep(8)
                for trouble, mend in ((redis.stall, redis.resume), (redis.kill, redis.start)):
                    trouble()
                    time.sleep(5)
                    mend()
                    time.sleep(8)
                assert _in_use(redis), "Redis came back and is not used"
            hits, processes = hit_rate(server)
    told("Redis stalled and killed", day, hits)
    assert processes == 2
    assert set(day.statuses) <= {200, 201, 409}
    assert day.slowest() < BOUND
    assert hits > 0.8


def _in_use(redis: RedisServer) -> bool:
    """Do values arrive in it?"""
    return redis.client().dbsize() > 20
