"""Eight processes hammer one key while Redis is killed, comes back, stalls and goes on: what was let in, stretch by stretch."""

import time

import pytest

from core.redis import RETRY_SECONDS
from tests.chaos.limits_history import PATIENCE, SHARE, WINDOW, Report
from tests.factories.hammer import started, told_by
from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.windows import most_in_any

pytestmark = pytest.mark.slow


def shoot(server: RedisServer) -> tuple[int, tuple[float, float]]:
    """Kill and restart, stall and resume. When the second Redis began (its clock), and from when to when it was stalled."""
    time.sleep(3)
    server.kill()
    time.sleep(2)
    reborn = time.time_ns() // 1000
    server.start()
    time.sleep(4)
    server.stall()
    stalled = time.monotonic()
    time.sleep(2.5)
    resumed = time.monotonic()
    server.resume()
    time.sleep(3)
    return reborn, (stalled, resumed)


def test_outages_let_in_no_more_than_the_shares_and_each_redis_no_more_than_the_limit() -> None:
    with redis_server() as server:
        processes = started(server.port, 15, "tests.chaos.limits_history")
        reborn, (stalled, resumed) = shoot(server)
        reports = [Report(**report) for report in told_by(processes)]
    by_redis = sorted(stamp for report in reports for stamp in report.by_redis)
    lives = [stamp for stamp in by_redis if stamp < reborn], [stamp for stamp in by_redis if stamp >= reborn]
    for life in lives:
        assert most_in_any(life, WINDOW.span) == WINDOW.limit, "a Redis lets in the limit in any window, also through a stall"
    for report in reports:
        assert report.by_itself and report.by_redis
        assert most_in_any(report.by_itself, WINDOW.span) <= SHARE
        tries = sum(stalled <= at <= resumed + PATIENCE for at in report.in_vain)
        assert tries <= (resumed - stalled) / RETRY_SECONDS + 2, "a stalled Redis is asked once a second, not by each request"
    alone = sorted(stamp for report in reports for stamp in report.by_itself)
    assert most_in_any(alone, WINDOW.span) <= WINDOW.limit, "the shares together are no more than the limit"
    most = [most_in_any(stamps, WINDOW.span) for stamps in (*lives, alone)]
    print(  # noqa: T201
        f"\n{sum(report.asked for report in reports)} hits, {len(by_redis)} let in by Redis, {len(alone)} without it; "
        f"most in a second by each Redis {most[:2]}, without {most[2]}; "
        f"longest call {max(report.longest for report in reports) * 1000:.0f} ms"
    )
