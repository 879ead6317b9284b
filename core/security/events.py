"""The log of security events: one row for each address, kind and minute, so that an attack can't fill the disk."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connections

from core.security.models import SecurityEvent
from core.tenancy.ids import new_id

AT_ONCE = 10  # occurrences of one kind from one address within a minute that are written singly
AFTERWARDS = 20  # from then on every so many are written together
ROWS = 300  # rows a minute from one process; what comes from further addresses shares one row for each kind

UPSERT = """
INSERT INTO core_securityevent (id, kind, address, minute, count, points, matched, route, person_id, in_clinic, request_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (minute, address, kind) DO UPDATE SET
    count = core_securityevent.count + excluded.count,
    points = core_securityevent.points + excluded.points,
    matched = ARRAY(SELECT DISTINCT m FROM unnest(core_securityevent.matched || excluded.matched) m ORDER BY m),
    route = excluded.route, request_id = excluded.request_id,
    person_id = coalesce(excluded.person_id, core_securityevent.person_id),
    in_clinic = coalesce(excluded.in_clinic, core_securityevent.in_clinic)
"""


@dataclass(frozen=True, slots=True)
class Happened:
    """One occurrence, before it is written. `address` as counters know it (core.security.proxies.counted)."""

    kind: SecurityEvent.Kind
    address: str
    matched: tuple[str, ...] = ()
    points: int = 0
    route: str = ""
    person_id: UUID | None = None
    clinic_id: UUID | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What is written now: under which address, how often it happened since the last time, and the points of all that."""

    address: str
    times: int
    points: int
    charged: int  # points for the address of this request; others' that share a row with it are none of its doing


class Budget:
    """How much of what happens is written, for this process. Thread-safe; holds one minute's addresses.

    What the end of a minute leaves unwritten is owed: it is written when the same address does the same thing again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute: datetime | None = None
        self._rows: dict[tuple[str, str], _Row] = {}
        self._owed: dict[tuple[str, str], _Row] = {}

    def admit(self, happened: Happened, now: datetime) -> Due | None:
        """What to write for it; None for "later, with others"."""
        with self._lock:
            if (minute := minute_of(now)) != self._minute:
                self._turn(minute)
            key = (happened.address, happened.kind.value)
            if key not in self._rows and len(self._rows) >= ROWS:
                key = ("", happened.kind.value)
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = self._owed.pop(key, _Row())
            row.seen, row.times, row.points = row.seen + 1, row.times + 1, row.points + happened.points
            if row.seen > AT_ONCE and row.times < AFTERWARDS:
                return None
            due = Due(key[0], row.times, row.points, row.points if key[0] else happened.points)
            row.times = row.points = 0
            return due

    def _turn(self, minute: datetime) -> None:
        owed = {**self._owed, **{key: _Row(0, row.times, row.points) for key, row in self._rows.items() if row.times}}
        self._minute, self._rows, self._owed = minute, {}, dict(list(owed.items())[-ROWS:])


@dataclass(slots=True)
class _Row:
    """Occurrences within the minute; occurrences and points that are not written yet."""

    seen: int = 0
    times: int = 0
    points: int = 0


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def write(happened: Happened, due: Due, now: datetime) -> None:
    """Add it to the minute's row. One statement, on the platform alias: inside the recorder's transaction."""
    matched: Iterable[str] = sorted(set(happened.matched))
    values = (
        *(new_id(), happened.kind, due.address, minute_of(now), due.times, due.points, list(matched)),
        *(happened.route[:200], happened.person_id, happened.clinic_id, happened.request_id),
    )
    with connections["platform"].cursor() as cursor:
        cursor.execute(UPSERT, values)
