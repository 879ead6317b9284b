"""Empties the spool into the database: once a second while events come, and at the start what dead processes left."""

import logging
import threading
import time
from pathlib import Path

from django.conf import settings
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connections

from core.audit.events import NoEvent, pieces, stored
from core.audit.spool import Events, Spool, set_aside, taken_over, waiting
from core.errors import DomainError

logger = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds: what a cut of the machine's power can lose, and how soon a look is in the database
PATIENCE = 30  # seconds between two tries while the database is away
REFUSED = (DataError, IntegrityError, NoEvent)  # what is wrong with an event itself, and not with the database at this moment


def spool_folder(database: str = "") -> Path:
    """The named place: on a disk of this machine that outlives its processes. Each database has its own (without a name this
    installation's), so that what was read in one never goes into another that is served from the same folder."""
    name = database or str(settings.DATABASES["default"]["NAME"])
    return Path(settings.HMS_SPOOL_DIR) / "access" / name.replace("/", "_")


def drain() -> int:
    """Write every file that no living process writes to into the database, then remove it; returns the number of events.

    Whatever happens in between, an event is there once. Raises what the database raises; the files then stay.
    """
    count = 0
    for path in waiting(spool.folder):
        with taken_over(path) as file:
            if file is None:
                continue
            events = Events(file)
            written, refused = _written(events)
            count += written
            if refused or events.damaged:
                set_aside(path)
            else:
                path.unlink()
    return count


def _written(events: Events) -> tuple[int, int]:
    """How many were written, and how many no table will ever take: each of these is logged, and holds up none of the others."""
    written = refused = 0
    for some in pieces(events):
        try:
            written += stored(some)
        except REFUSED:
            for event in some:
                try:
                    written += stored([event])
                except REFUSED:
                    logger.exception("The database refused an event of the access log.")
                    refused += 1
    return written, refused


def drain_now() -> int:
    """The same with this process's own events among them."""
    spool.hand_over()
    return drain()


class Drainer:
    """The thread of a web process that empties the spool. Never before a fork."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin, unless it runs already or was told to end."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._lock:
            if not self._stop.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="hms-access-log", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Empty it once more and end; returns within some seconds."""
        if (thread := self._thread) is not None:
            self._stop.set()
            thread.join(5)
            self._thread = None

    def _run(self) -> None:
        again = 0.0
        while not self._stop.wait(INTERVAL):
            again = self._turn(again)
        self._turn(0.0)

    def _turn(self, again: float) -> float:
        """Put on the disk what came, and empty the spool unless that failed a while ago; returns when to try the latter next."""
        try:
            spool.sync()
            if time.monotonic() >= again:
                drain_now()
        except (OperationalError, InterfaceError, DomainError) as error:
            logger.warning("The access log waits in its spool: the database is in trouble (%s).", type(error).__name__)
        except Exception:  # the thread's own boundary: the spool keeps what it has
            logger.exception("The access log waits in its spool.")
        else:
            return again
        finally:
            connections.close_all()
        return time.monotonic() + PATIENCE


spool = Spool(spool_folder())
drainer = Drainer()
