"""Old values in the history, of fields that a clinic has marked as protected since: sealed by the rotation of keys.

A change that is made while a field is marked is kept sealed by itself, for the trigger keeps what stands in the column.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from core.history.functions import DIGEST
from core.history.keeping import model_of
from core.history.sealing import restated
from core.keys.memory import keys_of
from core.keys.places import AMISS, BATCH, Done, Target, working
from core.keys.sealing import SEALED_TEXT, seal_text
from core.tenancy.protection import markable

STRIDE = 5000  # entries that one statement looks through
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('hms.protect ' || %s, 0))"
LAST = "SELECT max(id) FROM core_change WHERE clinic_id = %s"
CLEAR = """
SELECT c.id, c.table_name, c.old_values, c.new_values FROM core_change c JOIN unnest(%s::text[], %s::text[]) AS f (tab, col)
    ON f.tab = c.table_name AND (
        coalesce(c.old_values ->> f.col, '') <> '' AND left(c.old_values ->> f.col, 1) <> chr(2)
        OR coalesce(c.new_values ->> f.col, '') <> '' AND left(c.new_values ->> f.col, 1) <> chr(2))
WHERE c.clinic_id = %s AND c.id > %s AND c.id <= %s AND c.salt IS NOT NULL AND c.operation IN ('insert', 'update', 'delete')
"""
FOUND = f"SELECT DISTINCT ON (id) * FROM ({CLEAR}) found ORDER BY id LIMIT {BATCH}"  # noqa: S608
COUNT = f"SELECT count(DISTINCT id) FROM ({CLEAR}) found"  # noqa: S608
# OFFSET 0: the salt is drawn once.
SALTED = f"""
SELECT r.id, r.salt, r.digest, {DIGEST.format(row="r")} FROM (
    SELECT c.id, gen_random_uuid() AS salt, c.digest, c.old_values || g.o AS old_values, c.new_values || g.n AS new_values
    FROM unnest(%s::bigint[], %s::text[]::jsonb[], %s::text[]::jsonb[]) AS g (id, o, n) JOIN core_change c ON c.id = g.id OFFSET 0
) r ORDER BY r.id
"""  # noqa: S608
PROTECT = "SELECT hms_protect_history(%s, %s::bigint[], %s::uuid[], %s::text[]::jsonb[], %s::text[]::jsonb[], %s::text[])"


@dataclass(slots=True)
class Batch:
    """Entries to rewrite, by rising number: of each the sealed texts by column as JSON, before and after."""

    ids: list[int] = field(default_factory=list)
    olds: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)


class KeptValues:
    """The place `core_change`. What was sealed stays under its key, as encrypted columns do; old keys open it."""

    name = "core_change"

    def renew(self, target: Target) -> Iterator[Done]:
        if target.clinic_id is None or target.only_ring:
            return
        after, last = 0, self._last(target.clinic_id)
        while after < last:
            count, after = self._step(target.clinic_id, after, min(after + STRIDE, last))
            if count:
                yield Done(count)

    def usage(self, clinic_id: UUID | None) -> dict[bytes, int]:
        if clinic_id is None or not (last := self._last(clinic_id)):
            return {}
        with working() as cursor:
            cursor.execute(COUNT, [*_columns(clinic_id), clinic_id, 0, last])
            ((count,),) = cursor.fetchall()
        return {AMISS: count} if count else {}

    def _last(self, clinic_id: UUID) -> int:
        """The number of the clinic's newest entry; 0 when there is none, or nothing is marked."""
        with working() as cursor:
            if not _columns(clinic_id)[0]:
                return 0
            cursor.execute(LAST, [clinic_id])
            return int(cursor.fetchone()[0] or 0)

    def _step(self, clinic_id: UUID, after: int, until: int) -> tuple[int, int]:
        """Seal the next entries up to `until`; how many, and up to which number all are done."""
        with working() as cursor:
            cursor.execute(LOCK, [str(clinic_id)])  # the digest is of what is about to stand there
            cursor.execute(FOUND, [*_columns(clinic_id), clinic_id, after, until])
            rows = cursor.fetchall()
            if not rows:
                return 0, until
            batch = Batch()
            for number, table, old, new in rows:
                batch.ids.append(number)
                batch.olds.append(json.dumps(_sealed(clinic_id, table, _read(old))))
                batch.news.append(json.dumps(_sealed(clinic_id, table, _read(new))))
            return rewrite(cursor, clinic_id, batch), rows[-1][0]


def rewrite(cursor: Any, clinic_id: UUID, batch: Batch) -> int:
    """Put the sealed texts in place of the clear ones, with an entry for each row of a table that says so; how many entries
    were rewritten. Two statements, as hms_platform.
    """
    cursor.execute(SALTED, [batch.ids, batch.olds, batch.news])
    salted = cursor.fetchall()
    tolds = [restated(number, bytes(before), bytes(now)) for number, _salt, before, now in salted]
    cursor.execute(PROTECT, [clinic_id, batch.ids, [salt for _, salt, _, _ in salted], batch.olds, batch.news, tolds])
    ((count,),) = cursor.fetchall()
    return int(count)


def _columns(clinic_id: UUID) -> tuple[list[str], list[str]]:
    """Tables and columns of the fields that the clinic marks. In a working transaction."""
    marked = keys_of(clinic_id).protected
    fields = [one for mark, one in markable().items() if mark in marked and model_of(one.model._meta.db_table)]
    return [one.model._meta.db_table for one in fields], [one.column for one in fields]


def _read(values: Any) -> dict[str, Any]:
    """Django's cursors give JSON as text."""
    read: dict[str, Any] = json.loads(values) if isinstance(values, str) else values or {}
    return read


def _sealed(clinic_id: UUID, table: str, values: dict[str, Any]) -> dict[str, str]:
    """The clear ones of the marked fields among the values, sealed."""
    tables, columns = _columns(clinic_id)
    found = {}
    for own, column in zip(tables, columns, strict=True):
        value = values.get(column)
        if own == table and isinstance(value, str) and value and not value.startswith(SEALED_TEXT):
            found[column] = seal_text(value, clinic_id=clinic_id, context=f"{table}.{column}")
    return found
