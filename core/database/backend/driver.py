"""psycopg's connection with a deadline: who gets no answer in time closes it and opens the breaker."""

import select
import time
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Self

import psycopg
from psycopg.errors import _WaitTimeout
from psycopg_pool import ConnectionPool

from core.database.breaker import Breaker

FRESH = 0.25  # seconds since its last exchange within which a connection counts as alive
PROBE_SECONDS = 2  # psycopg takes no shorter limit for a connection attempt
FULL = ("too many clients", "too many connections", "connection slots")  # the server lives; others use it


class NotConnected(psycopg.OperationalError):
    """The server has no connection to spare. It serves those who have one."""


class DatabaseStalled(psycopg.OperationalError):
    """No answer within the deadline. Whether the statement ran is unknown; the connection is closed."""


@dataclass(frozen=True, slots=True)
class Guard:
    """How connections to one server are watched. Seconds; a deadline of None waits for ever, no breaker never opens."""

    deadline: float | None = None
    breaker: Breaker | None = None

    def away(self, reason: str, parameters: dict[str, Any]) -> None:
        if self.breaker is not None:
            self.breaker.open(reason, partial(probe, parameters))


class GuardedConnection(psycopg.Connection[Any]):
    """`deadline` may be changed at any time; it counts for each exchange with the server, not for a transaction."""

    guard = Guard()
    deadline: float | None = None
    answered = 0.0  # when the server was last heard of, by time.monotonic()
    parameters: dict[str, Any]

    @classmethod
    def connect(cls, conninfo: str = "", **parameters: Any) -> Self:
        try:
            connection = super().connect(conninfo, **parameters)
        except psycopg.OperationalError as error:
            if any(sign in str(error) for sign in FULL):
                raise NotConnected(str(error)) from error
            cls.guard.away(str(error).splitlines()[0], {"conninfo": conninfo, **parameters})
            raise
        connection.deadline, connection.parameters = cls.guard.deadline, {"conninfo": conninfo, **parameters}
        return connection

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None or self.deadline is None:
            return super().wait(gen, interval, timeout)
        try:
            found = super().wait(gen, interval, self.deadline)
            self.answered = time.monotonic()
            return found
        except _WaitTimeout:
            self.close()
            self.guard.away(f"no answer for {self.deadline:g} s", self.parameters)
            raise DatabaseStalled(f"The database gave no answer for {self.deadline:g} s.") from None


def check(connection: Any) -> None:
    """Before a pool gives a connection out: does it live? One round trip, unless it has just been used and nothing came since:
    a server that ends a connection says so on it."""
    watched = select.poll()
    watched.register(connection.fileno(), select.POLLIN)
    if watched.poll(0) or time.monotonic() - connection.answered > FRESH:
        ConnectionPool.check_connection(connection)


@cache
def guarded_by(guard: Guard) -> type[GuardedConnection]:
    """The class of the connections that this guard watches: what a pool, too, can be told."""
    return type("GuardedConnection", (GuardedConnection,), {"guard": guard})


def probe(parameters: dict[str, Any]) -> None:
    """Does the server answer a new connection's question? Raises psycopg.Error when it doesn't, after at most 4 seconds."""
    own = {**parameters, "connect_timeout": PROBE_SECONDS, "autocommit": True}
    with guarded_by(Guard(deadline=PROBE_SECONDS)).connect(**own) as connection:
        connection.execute("SELECT 1")
