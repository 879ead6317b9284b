"""Writes down what processes have collected: every other second, in one statement. While the database is away it waits."""

import json
import logging
import threading
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from core.errors import DomainError
from core.faults.collecting import MOST_CLINICS, MOST_PLACES, MOST_REQUESTS, Seen, collector
from core.tenancy.context import Scope, unit_of_work
from core.tenancy.ids import new_id

logger = logging.getLogger(__name__)

EVERY = 2.0  # seconds; also what a process that is killed may not have written
PATIENCE = 10.0  # seconds between two tries while the database is in trouble

WRITE = """
INSERT INTO core_fault AS known (id, fingerprint, kind, error, place, line, message, traceback, first_seen, last_seen, count,
    state, came_back, in_clinics, names, request_ids)
SELECT id, fingerprint, kind, error, place, line, message, traceback, first_seen, last_seen, count,
    'open', 0, in_clinics, names, request_ids
FROM jsonb_to_recordset(%(faults)s::jsonb) AS given (id uuid, fingerprint text, kind text, error text, place text, line int,
    message text, traceback text, first_seen timestamptz, last_seen timestamptz, count bigint, in_clinics uuid[], names text[],
    request_ids text[])
ON CONFLICT (fingerprint) DO UPDATE SET
    count = known.count + excluded.count,
    first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen),
    line = excluded.line, traceback = excluded.traceback,
    state = CASE WHEN known.state = 'resolved' AND excluded.last_seen > known.changed_at THEN 'open' ELSE known.state END,
    came_back = known.came_back + (known.state = 'resolved' AND excluded.last_seen > known.changed_at)::int,
    in_clinics = (SELECT coalesce(array_agg(one), '{}') FROM (
        SELECT DISTINCT unnest(known.in_clinics || excluded.in_clinics) AS one LIMIT %(clinics)s) AS clinics),
    names = (SELECT coalesce(array_agg(one), '{}') FROM (
        SELECT DISTINCT unnest(known.names || excluded.names) AS one LIMIT %(names)s) AS names),
    request_ids = (known.request_ids || excluded.request_ids)[
        greatest(1, cardinality(known.request_ids || excluded.request_ids) - %(requests)s + 1):]
"""


def write_down() -> int:
    """Write what this process has collected; returns the number of errors. One statement, none when there was none.

    Raises what the database raises; then all of it is kept for the next time.
    """
    faults = collector.take()
    if not faults:
        return 0
    values: dict[str, Any] = {
        "faults": json.dumps([_row(one) for one in sorted(faults, key=lambda one: one.shape.fingerprint)]),
        **{"clinics": MOST_CLINICS, "names": MOST_PLACES, "requests": MOST_REQUESTS},
    }
    try:
        with unit_of_work(Scope(reason="faults")), connections["default"].cursor() as cursor:
            cursor.execute(WRITE, values)
    except BaseException:
        collector.give_back(faults)
        raise
    return sum(one.count for one in faults)


def _row(one: Seen) -> dict[str, Any]:
    return {
        "id": str(new_id()),
        "fingerprint": one.shape.fingerprint,
        "kind": one.kind,
        "error": one.shape.error,
        "place": one.shape.place,
        "line": one.shape.line,
        "message": one.shape.message,
        "traceback": one.traceback,
        "first_seen": one.first.isoformat(),
        "last_seen": one.last.isoformat(),
        "count": one.count,
        "in_clinics": one.clinics,
        "names": one.names,
        "request_ids": one.requests,
    }


class Writer:
    """The thread of a process. Never before a fork."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="hms-faults", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write once more and end; returns within some seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _run(self) -> None:
        pause = EVERY
        while not self._stop.wait(pause):
            pause = EVERY if try_to_write() else PATIENCE
        try_to_write()


def try_to_write() -> bool:
    """The same for those who can't do anything about trouble: it is logged, and what was collected waits. False then."""
    try:
        write_down()
    except (DatabaseError, InterfaceError, DomainError) as error:
        logger.warning("Faults wait to be written: the database is in trouble (%s).", type(error).__name__)
        return False
    except Exception as error:  # a boundary; as an error it would be a fault itself, and each try would make one
        logger.warning("Faults wait to be written (%s).", type(error).__name__)
        return False
    finally:
        connections.close_all()
    return True


writer = Writer()
