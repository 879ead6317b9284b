"""Hubs woken through Redis: nothing is missed while the relay, or Redis, is away; it only comes later."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest

from core.realtime.relay import Subscription, _channel
from tests.factories.patience import eventually
from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.server import ROOT, Server, serving
from tests.factories.streams import EventSource
from tests.load.streams import CHANGE, EVENTS, seed

pytestmark = [pytest.mark.server, pytest.mark.thorough]


@pytest.fixture(scope="module")
def with_redis() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def relayed(with_redis: RedisServer, worker_id: str) -> Iterator[Server]:
    variables = {"REDIS_URL": with_redis.url, "HMS_LIVE_RELAY": "redis", "WEB_CONCURRENCY": "1"}
    with serving(f"relayed_{worker_id}", seed=seed, static=False, variables=variables) as server:
        yield server


@contextmanager
def relaying(server: Server) -> Iterator[None]:
    command = [sys.executable, "manage.py", "live_relay"]
    relay = subprocess.Popen(command, cwd=ROOT, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert relay.stdout is not None and b"listens" in relay.stdout.readline()
        yield
    finally:
        relay.terminate()
        assert relay.wait(20) == 0


def health_of(server: Server) -> str:
    connection = HTTPConnection(server.host, timeout=10)
    connection.request("GET", "/api/sse/health")
    answer = connection.getresponse()
    assert answer.status == 200
    said: str = json.loads(answer.read())["data"]["status"]
    connection.close()
    return said


def test_what_wakes_the_hubs_may_be_away(relayed: Server, with_redis: RedisServer) -> None:
    clinic = relayed.seeded[0]
    source = EventSource(relayed.host, EVENTS, Authorization=f"Bearer {clinic['tokens'][0]}")
    source.one("ready")
    changed = 0

    def arrives() -> None:
        nonlocal changed
        changed += 1
        with relayed.connect() as psql:
            psql.execute(CHANGE, [f"note {changed}", clinic["clinic"], clinic["visit"]])
        source.until(lambda frames: len([one for one in frames if one["type"] == "event"]) == changed)

    steps: list[tuple[Callable[[], None], str]] = [
        (lambda: None, "healthy"), (with_redis.kill, "degraded"), (with_redis.start, "healthy"),
    ]  # fmt: skip
    with relaying(relayed):
        for step, state in steps:
            step()
            arrives()
            eventually(lambda: state == health_of(relayed))  # noqa: B023  (it runs at once)
    arrives()
    eventually(lambda: health_of(relayed) == "degraded")
    with relaying(relayed):
        arrives()
    assert source.ids == sorted(set(source.ids)) and len(source.ids) == changed
    source.close()


def test_each_time_that_redis_goes_away_is_told_once(
    with_redis: RedisServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = with_redis.url
    looks: list[int] = []
    subscription = Subscription(lambda payload: None, lambda: looks.append(1))
    subscription.start()
    try:
        for times in (1, 2, 3):
            eventually(lambda: with_redis.client().pubsub_numsub(_channel())[0][1])
            with_redis.kill()
            looks.clear()
            eventually(lambda: len(looks) > 1)  # it has tried again
            told = [one for one in caplog.records if "The relay's Redis is in trouble" in one.getMessage()]
            with_redis.start()
            assert len(told) == times
    finally:
        subscription.stop()


def test_notices_come_by_redis(relayed: Server, with_redis: RedisServer) -> None:
    """The web process listens to PostgreSQL for its cache alone: the relay tells of events."""
    clinic = relayed.seeded[1]
    channel = f"hms:{relayed.database}:live"
    with relaying(relayed), with_redis.client().pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(channel)
        with relayed.connect() as psql:
            psql.execute(CHANGE, ["once", clinic["clinic"], clinic["visit"]])
        said = next(one["data"] for one in pubsub.listen() if clinic["clinic"].encode() in one["data"])
    assert said.split()[0].decode() == clinic["clinic"]
