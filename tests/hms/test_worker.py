"""Connections are shared out among the processes of the web server."""

import asyncio
import errno
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from gunicorn.config import Config

from hms import worker as workers
from hms.scale.serving import Served, yardstick_served
from hms.worker import Door, Loop, Worker
from tests.factories.patience import eventually
from tests.factories.threads import apart

TOGETHER = 8  # connections opened at one moment
ROUNDS = 10
REQUEST = b"GET /plain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A bare application in two processes, behind the server that HMS has."""
    with yardstick_served() as served:
        eventually(lambda: len(processes(served)) == 2)
        yield served


def processes(served: Served) -> list[psutil.Process]:
    return psutil.Process(served.process.pid).children()


def held(served: Served) -> list[int]:
    """How many connections each process holds."""
    counts = Counter(
        {one.pid: len([c for c in one.net_connections() if c.status == psutil.CONN_ESTABLISHED]) for one in processes(served)}
    )
    return sorted(counts.values())


def opened(served: Served) -> list[socket.socket]:
    return [socket.create_connection(served.address, timeout=30) for _ in range(TOGETHER)]


def closed(served: Served, lines: list[socket.socket]) -> None:
    for line in lines:
        line.close()
    eventually(lambda: sum(held(served)) == 0)


def answer(line: socket.socket) -> bytes:
    line.sendall(REQUEST)
    return line.recv(4096)


def test_connections_of_one_moment_are_with_both_processes(served: Served) -> None:
    fewest = []
    for _ in range(ROUNDS):
        lines = opened(served)
        eventually(lambda: sum(held(served)) == TOGETHER)
        fewest.append(min(held(served)))
        closed(served, lines)
    assert sum(fewest) > ROUNDS * TOGETHER / 2 / 2, fewest


def test_a_process_that_stands_still_is_not_waited_for(served: Served) -> None:
    still = processes(served)[0]
    still.send_signal(signal.SIGSTOP)
    try:
        lines = opened(served)
        assert [answer(line)[:12] for line in lines] == [b"HTTP/1.1 200"] * TOGETHER
        assert held(served) == [0, TOGETHER]
    finally:
        still.send_signal(signal.SIGCONT)
    closed(served, lines)


def a_worker(age: int) -> Worker:
    return Worker(age, os.getpid(), [], None, 30, Config(), logging.getLogger("test"))


def test_only_who_listens_is_counted() -> None:
    busy, starting = a_worker(1), a_worker(2)
    busy.listens, busy.nr_conns = True, 3
    assert not busy.others_hold_fewer(), "the other one does not take any yet"
    starting.listens = True
    assert busy.others_hold_fewer()
    assert not starting.others_hold_fewer()
    starting.nr_conns = 3
    assert not busy.others_hold_fewer()
    starting.nr_conns = 2
    starting.forget()
    assert not busy.others_hold_fewer(), "it has ended"
    busy.forget()


class Full(socket.socket):
    """Has no descriptor left, once."""

    refused = False

    def accept(self) -> Any:
        if not self.refused:
            self.refused = True
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def test_a_process_without_descriptors_takes_connections_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "AGAIN", 0.05)

    async def served_by(listening: Full, worker: Worker) -> bytes:
        door = await asyncio.get_running_loop().create_server(Echo, sock=listening)
        assert isinstance(door, Door)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"hello")
        said = await reader.read(5)
        door.close()
        writer.close()
        assert not worker.listens
        return said

    def run() -> None:
        worker, loop = a_worker(3), Loop()
        loop.worker = worker
        with Full() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            listening.setblocking(False)
            assert loop.run_until_complete(served_by(listening, worker)) == b"hello"
            assert listening.refused
        loop.close()
        assert worker.nr_conns == 0

    apart(run)


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
