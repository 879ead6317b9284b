"""A process of the web server that leaves a connection to another one which holds fewer.

A connection stays with the process that took it, and Python keeps a process to one processor. Left alone, whichever process wakes
first takes all that wait: eight connections opened at one moment, as a proxy opens them, were mostly with one of two processes.
"""

import asyncio
import mmap
import socket
from collections.abc import Callable
from typing import Any

import uvloop
from gunicorn.workers.gasgi import ASGIWorker

PATIENCE = 0.005  # seconds that a connection is left to others
AGAIN = 1.0  # seconds without a new connection when there is nothing left to open one with
MOST = 256  # processes that are told apart
ABSENT = -1

# How many connections each process holds, in memory that the server shares with those it starts.
_counts = memoryview(mmap.mmap(-1, MOST * 4)).cast("i")
_counts[:] = memoryview(bytes(b"\xff" * MOST * 4)).cast("i")  # ABSENT everywhere


class Worker(ASGIWorker):  # type: ignore[misc]
    """gunicorn's own, with another way to the connections. Needs uvloop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._held = 0
        self._listens = False
        super().__init__(*args, **options)

    @property
    def nr_conns(self) -> int:
        """Connections that are open, by gunicorn's count."""
        return self._held

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self._held = count
        self._tell()

    @property
    def listens(self) -> bool:
        """Does it take connections? Nobody waits for one that does not."""
        return self._listens

    @listens.setter
    def listens(self, listens: bool) -> None:
        self._listens = listens
        self._tell()

    def others_hold_fewer(self) -> bool:
        return any(ABSENT < count < self._held for count in _counts)

    def forget(self) -> None:
        """In the server, once the process has ended, however it did."""
        _counts[self.age % MOST] = ABSENT

    def _tell(self) -> None:
        _counts[self.age % MOST] = self._held if self._listens else ABSENT

    def _setup_event_loop(self) -> None:
        self.loop = Loop()
        self.loop.worker = self
        asyncio.set_event_loop(self.loop)


class Loop(uvloop.Loop):
    """Its servers are doors."""

    worker: Worker

    async def create_server(self, protocol_factory: Any, *args: Any, sock: Any = None, ssl: Any = None, **options: Any) -> Any:
        if sock is None:
            return await super().create_server(protocol_factory, *args, ssl=ssl, **options)
        return Door(self, protocol_factory, sock, ssl)


class Door:
    """Takes connections from a listening socket one by one: at once while no other process holds fewer, else after PATIENCE."""

    def __init__(self, loop: Loop, protocol: Callable[[], asyncio.Protocol], sock: socket.socket, ssl: Any) -> None:
        self._loop, self._worker, self._protocol, self._sock, self._ssl = loop, loop.worker, protocol, sock, ssl
        self._entering: set[asyncio.Task[None]] = set()
        self._later: asyncio.TimerHandle | None = None
        self._worker.listens = True
        self._open()

    def close(self) -> None:
        """No more connections; those that were taken are served."""
        self._worker.listens = False
        self._loop.remove_reader(self._sock)
        if self._later is not None:
            self._later.cancel()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: the worker waits for its connections itself."""

    def _open(self) -> None:
        self._later = None
        self._loop.add_reader(self._sock, self._knock)

    def _knock(self) -> None:
        if self._worker.others_hold_fewer():
            self._open_after(PATIENCE, self._left)
        else:
            self._take()

    def _left(self) -> None:
        """Nobody took it meanwhile, or more are waiting."""
        self._open()
        self._take()

    def _open_after(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._sock)
        self._later = self._loop.call_later(seconds, then)

    def _take(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was faster, or whoever knocked is gone
        except OSError:
            self._worker.log.exception("No connection can be taken for %g s.", AGAIN)
            self._open_after(AGAIN, self._open)
            return
        connection.setblocking(False)
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._worker.nr_conns += 1  # until the protocol counts it: others look meanwhile
        task = self._loop.create_task(self._enter(connection))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self._ssl)
        except OSError as error:
            connection.close()
            self._worker.log.debug("A connection broke as it was taken: %s", error)
        finally:
            self._worker.nr_conns -= 1
