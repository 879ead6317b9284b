"""A small HTTP client that keeps some connections busy and notes how long each answer took."""

import re
import selectors
import socket
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from hms.scale.figures import Figures, figures_of, middle

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
QUERIES = re.compile(rb'desc="(\d+) queries"')
DATABASE = re.compile(rb"db;dur=([\d.]+)")
LONGEST = 30.0  # seconds that an answer may take

type Requests = Iterator[bytes]


class Uncounted(bytes):
    """A request that prepares the connection's worker for the next one."""


class Follower(ABC, Iterator[bytes]):
    """A stream of requests in which the next one depends on the answer to the last."""

    @abstractmethod
    def answered(self, head: bytes, body: bytes) -> None: ...


class NoAnswer(RuntimeError):
    """The server closed the connection or kept silent; the message says after what."""


@dataclass(slots=True)
class Connection:
    """One keep-alive connection with the requests it sends one after the other."""

    requests: Requests
    sock: socket.socket
    sent_at: float = 0.0
    counted: bool = True
    buffer: bytearray = field(default_factory=bytearray)
    busy: bool = False


@dataclass(slots=True)
class Load:
    """Sends requests for some seconds, or until they run out, and gathers the answers' figures, of all its runs together."""

    address: tuple[str, int]
    seconds: float
    pace: float = 0.0  # requests a second over all connections; 0: each as soon as the one before it is answered
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    statements: list[int] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    took: float = 0.0

    def run(self, streams: list[Requests]) -> Figures:
        """One connection for each stream of requests. Raises NoAnswer."""
        self.turn(streams)
        return self.figures()

    def turn(self, streams: list[Requests]) -> float:
        """The same; the answers a second of this run alone."""
        answers, took = len(self.times), self.took
        ready = selectors.DefaultSelector()
        lines = [Connection(stream, socket.create_connection(self.address, timeout=LONGEST)) for stream in streams]
        for line in lines:
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(line.sock, selectors.EVENT_READ, line)
        started = time.perf_counter()
        try:
            self.took += self._drive(lines, ready, started)
        finally:
            ready.close()
            for line in lines:
                line.sock.close()
        return (len(self.times) - answers) / ((self.took - took) or 1.0)

    def figures(self) -> Figures:
        """Of all its runs together."""
        database = figures_of(self.database)
        return figures_of(
            self.times, per_second=len(self.times) / self.took if self.took else 0.0, statements=middle(self.statements),
            most_statements=max(self.statements, default=0), database_p50=database.p50, database_p99=database.p99,
            bytes=middle(self.sizes), statuses=dict(self.statuses),
        )  # fmt: skip

    def _drive(self, lines: list[Connection], ready: selectors.BaseSelector, started: float) -> float:
        ends, due = started + self.seconds, started
        idle = deque(lines)  # by turns, so that none is idle for so long that the server lets it go
        while True:
            now = time.perf_counter()
            while idle and now < ends and (not self.pace or due <= now):
                line = idle.popleft()
                request = next(line.requests, None)
                if request is None:  # the server may hang up on who has nothing more to ask
                    ready.unregister(line.sock)
                    continue
                # At a given pace the wait for a free connection belongs to the answer's time.
                line.counted = not isinstance(request, Uncounted)
                line.sent_at, line.busy = (due if self.pace else time.perf_counter()), True
                due += 1 / self.pace if self.pace else 0
                line.sock.sendall(request)
            busy = any(line.busy for line in lines)
            if not busy and (now >= ends or not idle):
                return time.perf_counter() - started
            if not busy:
                time.sleep(max(0.0, min(due, ends) - time.perf_counter()))
                continue
            wait = max(0.0, due - now) if self.pace and idle and now < ends else LONGEST
            events = ready.select(wait)
            if not events and wait == LONGEST:
                raise NoAnswer(f"No answer within {LONGEST:.0f} s.")
            for key, _ in events:
                if self._read(key.data):
                    idle.append(key.data)

    def _read(self, line: Connection) -> bool:
        """Take in what has come; True when the answer is whole."""
        part = line.sock.recv(262_144)
        if not part:
            raise NoAnswer("The server closed the connection.")
        line.buffer += part
        end = line.buffer.find(HEAD_END)
        if end < 0:
            return False
        head = bytes(line.buffer[:end])
        status = int(head[9:12])
        found = LENGTH.search(head)
        if found is None and status not in (204, 304):
            raise NoAnswer(f"An answer without a length: {head[:200]!r}")
        length = int(found[1]) if found and status != 304 else 0
        if len(line.buffer) < end + 4 + length:
            return False
        if line.counted:
            self._note(line, status, head, bytes(line.buffer[end + 4 : end + 4 + length]))
        del line.buffer[: end + 4 + length]
        line.busy = False
        return True

    def _note(self, line: Connection, status: int, head: bytes, body: bytes) -> None:
        self.times.append((time.perf_counter() - line.sent_at) * 1000)
        self.statuses[status] += 1
        self.sizes.append(len(head) + 4 + len(body))
        if found := QUERIES.search(head):
            self.statements.append(int(found[1]))
        if found := DATABASE.search(head):
            self.database.append(float(found[1]))
        if isinstance(line.requests, Follower):
            line.requests.answered(head, body)
