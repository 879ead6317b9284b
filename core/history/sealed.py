"""Which tables are sealed: said once at the model. Any table that only grows can be, by a number the database gives out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import AutoField, BigAutoField, BinaryField, DateTimeField, Model


@dataclass(frozen=True)
class SealedTable:
    """`row_digest`: SQL of the digest of row `r`; `intact`: SQL that says whether what the digest leaves out is as it was.

    `restated`: a query for those of the rows `ids` that aren't, but were lawfully rewritten: id, digest of what the digest left
    out, the same of what stands there now, and texts of which `core.history.sealing.restates` accepts one. "" for none.
    """

    table: str
    row_digest: str
    intact: str
    restated: str = ""


_sealed: dict[str, SealedTable] = {}


def sealed[M: type[Model]](*columns: str, intact: str = "true", restated: str = "") -> Callable[[M], M]:
    """Declare that a table's rows are sealed over these columns. Its `id` is a number that the database gives out, rising.

    Columns that may lawfully change (what can be erased) stay out; `intact` can check them against one that doesn't, and
    `restated` says what stands for those that were rewritten.
    """

    def declare(model: M) -> M:
        meta = model._meta
        if not isinstance(meta.pk, AutoField | BigAutoField) or meta.pk.column != "id":
            raise TypeError(f"{meta.label} has no number named id, in whose order it could be sealed.")
        fields = {one.column: one for one in meta.local_concrete_fields}
        parts = ", ".join(_canonical(fields[column]) for column in columns)
        digest = f"sha256(convert_to(jsonb_build_array({parts})::text, 'UTF8'))"
        _sealed[meta.db_table] = SealedTable(meta.db_table, digest, f"({intact})", restated)
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
