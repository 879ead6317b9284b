"""Which tables are sealed: said once at the model. Any table that only grows can be, by a number the database gives out.

Rows that are dropped by whole months when they are old enough are sealed month by month, so that a month can go as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db.models import BigAutoField, BigIntegerField, BinaryField, DateTimeField, Model


class Dropped(NamedTuple):
    """Rows go by whole months of this column (in UTC). `oldest`: the first day of the first month that is still kept."""

    column: str
    oldest: Callable[[], date]


@dataclass(frozen=True)
class SealedTable:
    """`number`: the column in whose order rows are sealed. The rest is SQL about row `r`: its digest, whether what the digest
    leaves out is as it was, and the month with which it may be dropped (NULL: never).

    `restated`: a query for those of the rows `ids` whose left-out part isn't as it was, but was lawfully rewritten: id, digest of
    it as it was, the same of what stands there now, and texts of which `core.history.sealing.restates` accepts one. "" for none.
    """

    table: str
    number: str = "id"
    row_digest: str = ""
    intact: str = "true"
    month: str = "NULL::date"
    oldest: Callable[[], date] | None = None
    restated: str = ""

    def may_be_gone(self, month: date | None) -> bool:
        """Have the rows of that month been kept for as long as they should be?"""
        return month is not None and self.oldest is not None and month < self.oldest()


_sealed: dict[str, SealedTable] = {}


def sealed[M: type[Model]](
    *columns: str, number: str = "id", intact: str = "true", restated: str = "", dropped: Dropped | None = None
) -> Callable[[M], M]:
    """Declare that a table's rows are sealed over these columns, in the order of `number`.

    That is a column with a sequence of its own, so that PostgreSQL gives out its numbers, rising. Columns that may lawfully
    change (what can be erased) stay out; `intact` can check them against one that doesn't, and `restated` says what stands for
    those that were rewritten.
    """

    def declare(model: M) -> M:
        meta = model._meta
        fields = {one.column: one for one in meta.local_concrete_fields}
        if not isinstance(fields.get(number), BigAutoField | BigIntegerField):
            raise TypeError(f"{meta.label} has no number named {number}, in whose order it could be sealed.")
        parts = ", ".join(_canonical(fields[column]) for column in columns)
        digest = f"sha256(convert_to(jsonb_build_array({parts})::text, 'UTF8'))"
        month = f"date_trunc('month', r.\"{dropped.column}\" AT TIME ZONE 'UTC')::date" if dropped else "NULL::date"
        oldest = dropped.oldest if dropped else None
        _sealed[meta.db_table] = SealedTable(meta.db_table, number, digest, f"({intact})", month, oldest, restated)
        return model

    return declare


def sealed_tables() -> tuple[SealedTable, ...]:
    return tuple(_sealed.values())


def _canonical(field: Any) -> str:
    """The column as text that no setting of the session changes."""
    if isinstance(field, DateTimeField):
        return f'extract(epoch FROM r."{field.column}")::text'
    if isinstance(field, BinaryField):
        return f"encode(r.\"{field.column}\", 'hex')"
    return f'r."{field.column}"::text'
