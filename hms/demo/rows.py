"""Writes many rows at once, exactly as given: also the moments that the models would fill in themselves."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import batched
from typing import Any

import orjson
from django.db import connection
from django.db.backends.postgresql.psycopg_any import Range
from django.db.models import Model

from core.tenancy.context import current_clinic_id

BATCH = 5_000
# One parameter a statement: with one a value, taking the statement apart costs more than storing the rows.
INSERT = 'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::"{table}", %s::json)'


def insert_rows(rows: Sequence[Model]) -> None:
    """Insert unsaved instances of one clinic table. One statement for BATCH rows."""
    if not rows:
        return
    clinic_id = current_clinic_id()
    fields = rows[0]._meta.concrete_fields
    statement = INSERT.format(table=rows[0]._meta.db_table, columns=", ".join(f'"{field.column}"' for field in fields))
    for batch in batched(rows, BATCH):
        records = []
        for row in batch:
            row.clinic_id = clinic_id  # type: ignore[attr-defined]
            records.append({field.column: field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields})
        with connection.cursor() as cursor:
            cursor.execute(statement, [orjson.dumps(records, default=_as_json).decode()])


def _as_json(value: Any) -> str:
    """As PostgreSQL reads it from a JSON text."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Range):
        return f"{value.bounds[0]}{value.lower.isoformat()},{value.upper.isoformat()}{value.bounds[1]}"
    raise TypeError(f"{type(value).__name__} has no JSON form here.")
