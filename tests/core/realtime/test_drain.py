"""A server that is told to stop sends its streams away at once; they are told why, and come back to another one."""

import time
from typing import Any

import pytest

from core.realtime.sockets import RESTARTING
from tests.factories.server import Server, serving
from tests.factories.streams import EventSource, Socket
from tests.load.streams import EVENTS, seed

pytestmark = pytest.mark.server
AWAY = 15.0  # seconds until every stream has ended; gunicorn's own limit is 30


@pytest.fixture(scope="module")
def stopping(worker_id: str) -> Any:
    with serving(f"stopping_{worker_id}", seed=seed, static=False) as server:
        yield server


def test_streams_end_when_the_server_stops(stopping: Server) -> None:
    token = stopping.seeded[0]["tokens"][0]
    sources = [EventSource(stopping.host, EVENTS, Authorization=f"Bearer {token}") for _ in range(5)]
    sockets = [Socket(stopping.host).authenticated(token, "appointments") for _ in range(5)]
    nobody_yet = Socket(stopping.host)
    for one in sources:
        one.one("ready")
    assert stopping.process is not None
    stopping.process.terminate()
    began = time.monotonic()
    for one in sources:
        assert one.one("bye", AWAY)["reason"] == "restart"
        assert one.ended.wait(AWAY) and one.retry == 1000
    for socket in (*sockets, nobody_yet):
        assert socket.closed(AWAY) == RESTARTING
    assert time.monotonic() - began < AWAY
    assert stopping.process.wait(28) == 0
    assert time.monotonic() - began < 25, "something else waited for gunicorn's own limit"
