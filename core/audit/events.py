"""An event of the access log: as it is spooled, and as it goes into the database. Ids alone, never a name or a query string."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from core.audit.subjects import Shown
from core.tenancy.context import clinic_scope

AT_ONCE = 250  # events in memory together, and of one clinic in one transaction: some milliseconds, no lock that anybody waits for
MOST_BYTES = 1024 * 1024  # fewer, if they have this many bytes

EVENTS = """
INSERT INTO core_accessevent
    (event_id, at, user_id, clinic_id, route, method, status, address, request_id, why, reading)
SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::smallint[], %s::text[],
    %s::text[], %s::text[], %s::text[])
ON CONFLICT DO NOTHING
"""
# The patients of an event are cut apart here: a list shows many, and the process that serves it has no time for them.
PATIENTS = """
INSERT INTO core_accessedpatient (clinic_id, patient_id, at, event_id)
SELECT e.clinic_id, patient_id, e.at, e.event_id
FROM unnest(%s::uuid[], %s::bytea[], %s::timestamptz[], %s::uuid[]) AS e(clinic_id, patients, at, event_id),
    unnest(ARRAY(
        SELECT encode(substr(e.patients, first, 16), 'hex')::uuid FROM generate_series(1, length(e.patients), 16) AS first
    )) AS patient_id
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """What is known of one request that shows patients. `event_id` is unique: written twice, it is there once."""

    event_id: UUID
    at: datetime
    user_id: UUID | None
    clinic_id: UUID
    route: str
    method: str
    status: int
    address: str
    request_id: str
    shown: Shown

    def packed(self) -> bytes:
        subjects = self.shown.subjects()
        return orjson.dumps(
            (
                *(self.event_id, self.at, self.user_id, self.clinic_id, self.route[:200], self.method[:8], self.status),
                *(self.address[:45], self.request_id[:64], self.shown.why[:300], subjects.reading, subjects.patients.hex()),
            )
        )


type Row = tuple[Any, ...]  # the columns of EVENTS, then the patients, as `packed` wrote them


class NoEvent(ValueError):
    """What was spooled is whole, but it is no event as this version writes them."""


def stored(events: Iterable[bytes]) -> int:
    """Write spooled events to the database, each clinic's within its own scope; returns how many were given.

    Those that are there already stay as they are. Two statements for each clinic and AT_ONCE events at most. Raises NoEvent, and
    what the database raises; whole pieces may be written then.
    """
    count = 0
    for some in pieces(events):
        by_clinic: dict[str, list[Row]] = defaultdict(list)
        for row in map(_row, some):
            by_clinic[row[3]].append(row)
        for clinic, rows in by_clinic.items():
            with clinic_scope(UUID(clinic), reason="access log"):
                _write(rows)
        count += len(some)
    return count


def pieces(events: Iterable[bytes]) -> Iterator[list[bytes]]:
    """As many as may be in memory together."""
    some: list[bytes] = []
    size = 0
    for event in events:
        some.append(event)
        size += len(event)
        if len(some) == AT_ONCE or size >= MOST_BYTES:
            yield some
            some, size = [], 0
    yield some


def _row(event: bytes) -> Row:
    """Raises NoEvent."""
    try:
        row: Row = tuple(orjson.loads(event))
        event_id, at, user_id, clinic_id, *texts, patients = row
        UUID(event_id), UUID(clinic_id), UUID(user_id or event_id), datetime.fromisoformat(at), bytes.fromhex(patients)
        status = texts.pop(2)
        if len(texts) != 6 or not isinstance(status, int) or not all(isinstance(one, str) for one in texts):
            raise NoEvent(f"{len(row)} columns")
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise NoEvent(str(error)) from error
    return row


def _write(rows: Sequence[Row]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    event_ids, at, _, clinic_ids, *_, patients = columns
    with connection.cursor() as cursor:
        cursor.execute(EVENTS, columns[:11])
        cursor.execute(PATIENTS, [clinic_ids, [bytes.fromhex(ids) for ids in patients], at, event_ids])
