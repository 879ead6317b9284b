"""Hears what PostgreSQL announces, on a connection of its own in a thread of its own: one in each web process, whoever listens.

Its heartbeat says since when there can't have been a gap: while it is young, what was heard is all there was. It is trusted only
once it has heard another connection while its own was idle, and while its session listens to all that it was told to.
"""

import logging
import math
import os
import secrets
import select
import threading
import time
from typing import Any, Protocol

import psycopg
from django.conf import settings
from django.db import connections

logger = logging.getLogger(__name__)

HEARTBEAT = 0.25  # seconds between two round trips on the listening connection
TRUSTED = 1.0  # seconds that what was heard is trusted to be all after a heartbeat
ECHO = 2.0  # seconds in which a notice of another connection must have come, before anything is trusted
ALIVE = {  # a peer that is gone without a word is noticed within seconds
    "application_name": "hms listener",
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
PAUSES = (0.05, 0.2, 0.5, 1.0)  # seconds between tries to connect again


class SessionShared(psycopg.OperationalError):
    """There is a pooler in between that gives the session to others: notices don't come, or come to somebody else."""

    def __init__(self) -> None:
        super().__init__("a pooler shares its session with others: DATABASE_LISTEN_URL must lead around it")


class Receiver(Protocol):
    """Who wants to hear a channel. Everything is called in the listener's thread, and must neither raise nor wait."""

    channel: str

    def gap(self) -> None:
        """Notices may have been missed: called before it listens anew."""

    def listening(self) -> None:
        """From now on every notice is heard: what was committed before may be read."""

    def hear(self, payload: str) -> None:
        """Somebody has committed."""

    def beat(self, began: float) -> None:
        """All that was committed before `began` (time.monotonic) has been heard."""


class Listener:
    """Join the receivers first, then `start()`."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receiver] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._spell: object | None = None
        self._beaten = 0.0
        self._failures = 0  # tries since it was last trusted
        self._woken, self._wake = -1, -1

    def join(self, receiver: Receiver) -> None:
        """One for each channel."""
        self._receivers[receiver.channel] = receiver

    def stamp(self) -> object | None:
        """The spell of unbroken listening, if its last heartbeat is young enough, else None."""
        return self._spell if time.monotonic() - self._beaten < TRUSTED else None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to listen, in a daemon thread. Never before a fork."""
        if not self.is_running:
            self._stopping = False
            self._woken, self._wake = os.pipe()
            self._thread = threading.Thread(target=self._run, name="hms-listener", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; returns once it has ended, within a second or so."""
        if (thread := self._thread) is None:
            return
        self._stopping = True
        os.write(self._wake, b".")
        thread.join(5)
        if not thread.is_alive():
            os.close(self._wake)
            os.close(self._woken)
        self._thread = None

    def _run(self) -> None:
        self._failures = 0
        while not self._stopping:
            try:
                with self._connected(settings.DATABASE_LISTEN_URL) as connection:
                    self._listen(connection)
            except (psycopg.Error, OSError) as error:
                self._spell = None
                if self._failures == 0:
                    cause = str(error) if isinstance(error, SessionShared) else type(error).__name__
                    logger.warning("The listener lost its connection (%s); it connects again.", cause)
                _readable(PAUSES[min(self._failures, len(PAUSES) - 1)], self._woken)
                self._failures += 1
            except Exception:
                self._spell = None
                logger.exception("The listener failed; it begins anew.")
                _readable(PAUSES[-1], self._woken)
        self._spell = None

    def _connected(self, url: str = "") -> "psycopg.Connection[Any]":
        """To the server that `url` names, else as whoever writes."""
        parameters = connections["default"].get_connection_params()
        for of_django in ("cursor_factory", "context", "prepare_threshold", "pool"):
            parameters.pop(of_django, None)
        if url:
            parameters = {"connect_timeout": parameters["connect_timeout"]}
        return psycopg.connect(url, **parameters | ALIVE, autocommit=True)

    def _listen(self, connection: "psycopg.Connection[Any]") -> None:
        """Until the connection breaks or the process stops."""
        receivers = list(self._receivers.values())
        for one in receivers:
            one.gap()
        self._prove(connection)
        for one in receivers:
            connection.execute(f"LISTEN {one.channel}")
        connection.add_notify_handler(self._notice)
        for one in receivers:
            one.listening()
        spell = object()
        while not self._stopping:
            began = time.monotonic()
            # All that was committed before has been heard when this returns, if it is the session that was told to listen.
            ((channels,),) = connection.execute("SELECT count(*) FROM pg_listening_channels()").fetchall()
            if channels != len(receivers):
                raise SessionShared
            for one in receivers:
                one.beat(began)
            self._beaten, self._spell = began, spell
            self._failures = 0
            self._wait(connection, began + HEARTBEAT)

    def _prove(self, connection: "psycopg.Connection[Any]") -> None:
        """Does a notice of somebody who writes arrive while this connection asks nothing? Raises SessionShared."""
        channel = f"hms_echo_{secrets.token_hex(8)}"
        connection.execute(f"LISTEN {channel}")
        with self._connected() as writer:
            writer.execute(f"NOTIFY {channel}")
        if not any(notice.channel == channel for notice in connection.notifies(timeout=ECHO)):
            raise SessionShared
        connection.execute(f"UNLISTEN {channel}")

    def _wait(self, connection: "psycopg.Connection[Any]", until: float) -> None:
        """Until the next heartbeat is due; notices are heard as they come."""
        while not self._stopping and (left := until - time.monotonic()) > 0:
            if connection.fileno() in _readable(left, connection.fileno(), self._woken):
                connection.pgconn.consume_input()
                while (notice := connection.pgconn.notifies()) is not None:
                    self._notice(psycopg.Notify(notice.relname.decode(), notice.extra.decode(), notice.be_pid))

    def _notice(self, notice: psycopg.Notify) -> None:
        self._receivers[notice.channel].hear(notice.payload)


def _readable(seconds: float, *files: int) -> set[int]:
    """Those of the descriptors that can be read, after at most so long. select() would take none above 1023."""
    watched = select.poll()
    for file in files:
        watched.register(file, select.POLLIN)
    return {file for file, _ in watched.poll(math.ceil(seconds * 1000))}


listener = Listener()  # this process's
