"""An event of the access log: as it is spooled, and as it goes into the database. Ids alone, never a name or a query string."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from core.audit.subjects import SIZE, Shown
from core.tenancy.context import clinic_scope

AT_ONCE = 250  # events in memory together, and of one clinic in one transaction: some milliseconds, no lock that anybody waits for
MOST_BYTES = 1024 * 1024  # fewer, if they have this many bytes

# What `packed` wrote, taken apart in the database: the process that serves a list has no time for its many patients.
GIVEN = """
WITH given AS MATERIALIZED (
    SELECT (e->>0)::uuid AS event_id, (e->>1)::timestamptz AS at, (e->>2)::uuid AS user_id, (e->>3)::uuid AS clinic_id,
        e->>4 AS route, e->>5 AS method, (e->>6)::smallint AS status, e->>7 AS address, e->>8 AS request_id, e->>9 AS why,
        e->>10 AS reading, decode(e->>11, 'hex') AS patients
    FROM jsonb_array_elements(%s::jsonb) AS e
)"""
PATIENTS = """
INSERT INTO core_accessedpatient (clinic_id, patient_id, at, event_id)
SELECT clinic_id, encode(substr(patients, first, 16), 'hex')::uuid, at, event_id
FROM {events}, generate_series(1, length(patients), 16) AS first
"""
# Of a new event all patients are new: without a look whether they are there they take two thirds of the time.
STORE = f"""{GIVEN}, written AS (
    INSERT INTO core_accessevent (event_id, at, user_id, clinic_id, route, method, status, address, request_id, why, reading)
    SELECT event_id, at, user_id, clinic_id, route, method, status, address, request_id, why, reading FROM given
    ON CONFLICT DO NOTHING
    RETURNING event_id
)
{PATIENTS.format(events="given JOIN written USING (event_id)")}
"""  # noqa: S608
STORE_REST = f"{GIVEN} {PATIENTS.format(events='given')} ON CONFLICT DO NOTHING"


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


type Row = tuple[Any, ...]  # as `packed` wrote it


class NoEvent(ValueError):
    """What was spooled is whole, but it is no event as this version writes them."""


def stored(events: Iterable[bytes]) -> int:
    """Write spooled events to the database, each clinic's within its own scope; returns how many were given.

    Those that are there already stay as they are, and get the patients that a later run of their request has shown beside them.
    A statement for each clinic and AT_ONCE events at most, two if some of them were known. Raises NoEvent, and what the database
    raises; whole pieces may be written then.
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
    first_of_each = list({row[0]: row for row in reversed(rows)}.values())
    with connection.cursor() as cursor:
        cursor.execute(STORE, [_given(first_of_each)])
        if cursor.rowcount < sum(len(row[-1]) // (2 * SIZE) for row in rows):
            cursor.execute(STORE_REST, [_given(rows)])


def _given(rows: Sequence[Row]) -> str:
    return orjson.dumps(rows).decode()
