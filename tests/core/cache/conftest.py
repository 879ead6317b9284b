"""This process listens, as a web process does."""

from collections.abc import Iterator

import pytest
import redis

from core.cache.process import cache, ears, listener, memory
from core.cache.secrecy import Secrecy
from core.cache.shared import SharedLevel
from core.redis import RedisLink
from tests.factories.patience import eventually
from tests.factories.redis_server import RedisServer, redis_server


@pytest.fixture(scope="session")
def redis_of_the_run() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def level_for(server: RedisServer) -> SharedLevel:
    """A second level as a process of its own would have it. Two seconds of patience: a busy machine changes no test."""
    return SharedLevel(
        memory,
        Secrecy(lambda: "tests"),
        RedisLink(lambda: redis.Redis(port=server.port, protocol=2, socket_timeout=2, socket_connect_timeout=2)),
    )


@pytest.fixture
def with_redis(redis_of_the_run: RedisServer) -> Iterator[SharedLevel]:
    """This process's cache has a second level, empty."""
    if redis_of_the_run.process is None or redis_of_the_run.process.poll() is not None:
        redis_of_the_run.start()
    redis_of_the_run.client().flushall()
    level = level_for(redis_of_the_run)
    cache.shared = ears.shared = level
    yield level
    cache.shared = ears.shared = None


@pytest.fixture(params=["memory", "redis"])
def listening(world: object, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's process listens, without Redis and with it. What is read and written has to be committed: use `apart`.

    Trust lasts longer than in earnest, so that a machine that is busy with other tests changes no answer.
    """
    monkeypatch.setattr("core.listening.TRUSTED", 30.0)
    monkeypatch.setattr("core.cache.shared.TRUSTED", 30.0)
    level: SharedLevel | None = request.getfixturevalue("with_redis") if request.param == "redis" else None
    memory.clear()
    listener.start()
    try:
        eventually(lambda: listener.stamp() and (level is None or level.membership.is_member))
        yield
    finally:
        listener.stop()
        memory.clear()
