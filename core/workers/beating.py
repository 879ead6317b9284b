"""What a process that works on jobs says of itself: one statement now and then, from a thread of its own."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psutil
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from core.cache.process import secrecy
from core.errors import DomainError
from core.tenancy.context import Scope, unit_of_work
from core.tenancy.ids import new_id
from core.workers.places import is_gone, machine_name, started

logger = logging.getLogger(__name__)

MISSED = 3  # signs of life that may be missing before a process counts as silent

# Also tells which processes of this machine have been silent, so that those that were killed can be taken off the list.
BEAT = """
INSERT INTO core_workerprocess AS known (id, name, machine, pid, classes, version, started_at, beat_at, idle_parent, resident,
    parent_resident, succeeded, failed, busy)
VALUES (%(id)s, %(name)s, %(machine)s, %(pid)s, %(classes)s, %(version)s, %(started_at)s, clock_timestamp(), %(idle_parent)s,
    %(resident)s, %(parent_resident)s, %(succeeded)s, %(failed)s, %(busy)s)
ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, idle_parent = excluded.idle_parent, resident = excluded.resident,
    parent_resident = excluded.parent_resident, succeeded = excluded.succeeded, failed = excluded.failed, busy = excluded.busy
RETURNING (SELECT coalesce(jsonb_agg(jsonb_build_array(silent.id, silent.pid, silent.started_at)), '[]')
    FROM core_workerprocess AS silent
    WHERE silent.machine = %(machine)s AND silent.id <> %(id)s AND silent.beat_at < clock_timestamp() - %(silence)s)
"""
FORGET = "DELETE FROM core_workerprocess WHERE id = ANY(%s)"


def silence() -> timedelta:
    """After so long without a sign of life a process is silent."""
    return timedelta(seconds=MISSED * settings.HMS_WORKER_BEAT)


@dataclass(slots=True)
class Counts:
    """Of this process since its start. `busy` in seconds. Counted by the thread that does the jobs alone."""

    succeeded: int = 0
    failed: int = 0
    busy: float = 0


class Beats:
    """Of one process: says every HMS_WORKER_BEAT seconds that it lives, each time on a connection that is closed again.

    `parent_idle` returns for how many seconds the process that hands it jobs has stood still; None where there is none.
    """

    def __init__(self, name: str, classes: list[str], parent_idle: Callable[[], float] | None = None) -> None:
        self.id, self.name, self.classes = new_id(), name[:100], classes
        self.counts = Counts()
        self._parent_idle = parent_idle
        self._process = psutil.Process()
        self._machine = machine_name()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hms-beats", daemon=True)

    def start(self) -> None:
        """Never before a fork."""
        self._thread.start()

    def stop(self) -> None:
        """The process ends, and says so. What the database doesn't take others find out."""
        self._stop.set()
        self._thread.join(5)
        self._saying(self._forget, [self.id])

    def say(self) -> None:
        """One statement, and one more where a process of this machine was killed."""
        with unit_of_work(Scope(reason="workers")), connections["default"].cursor() as cursor:
            cursor.execute(BEAT, self._said())
            silent = [(UUID(key), pid, datetime.fromisoformat(at)) for key, pid, at in json.loads(cursor.fetchone()[0])]
        if gone := [key for key, pid, started_at in silent if is_gone(pid, started_at)]:
            self._forget(gone)

    def _said(self) -> dict[str, Any]:
        with_parent = self._parent_idle is not None
        return {
            "id": self.id,
            "name": self.name,
            "machine": self._machine,
            "pid": self._process.pid,
            "classes": self.classes,
            "version": secrecy.code_version[:12],
            "started_at": started(self._process),
            "idle_parent": self._parent_idle() if self._parent_idle is not None else 0.0,
            "resident": self._process.memory_info().rss,
            "parent_resident": _resident_of(self._process.ppid()) if with_parent else 0,
            "silence": silence(),
            **asdict(self.counts),
        }

    def _forget(self, ids: list[UUID]) -> None:
        with unit_of_work(Scope(reason="workers")), connections["default"].cursor() as cursor:
            cursor.execute(FORGET, [ids])

    def _run(self) -> None:
        while not self._stop.is_set():
            self._saying(self.say)
            self._stop.wait(settings.HMS_WORKER_BEAT)

    def _saying(self, what: Callable[..., None], *arguments: Any) -> None:
        try:
            what(*arguments)
        except (DatabaseError, InterfaceError, DomainError) as error:
            logger.warning("This process could not say that it lives (%s).", type(error).__name__)
        except Exception:  # the thread's own boundary: jobs don't depend on it
            logger.exception("This process could not say that it lives.")
        finally:
            connections.close_all()


def _resident_of(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
