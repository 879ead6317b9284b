"""A database that is full enough for PostgreSQL to plan as it would in service: many clinics, thousands of rows a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from django.http import QueryDict

from core.accounts.roles import Role
from core.drafts.services import keep_draft
from core.tenancy.context import clinic_scope
from tests.factories.cases import MAKERS
from tests.factories.crowd import crowd
from tests.factories.growth import grow
from tests.factories.visits import at, book
from tests.factories.world import Place

PATIENTS = 300
VISITS = 16  # with their claims
ROWS = 6000  # at least, in each table that has any
CLINICS = 20  # at least

# For each column what a copy of the row has in it; {n} is the copy's number.
CLINIC_ID = "md5('clinic' || n)::uuid"
KEY = "md5({column}::text || n)::uuid"  # the same row's key in the same copy, wherever it is referred to
UNIQUE_TEXT = "left(md5({column} || '/' || n), {length})"


@contextmanager
def crowded(place: Place) -> Iterator[None]:
    """Within the block the default connection sees such a database, as hms_app. Everything is rolled back at the end.

    The rows are copies of the place's own for clinics that don't exist, in a superuser's transaction without triggers.
    """
    ordinary = connections["default"]
    connections["default"] = connections.create_connection("default")
    connections["default"].settings_dict = {**ordinary.settings_dict, **_superuser()}  # a copy: that of the alias is all threads'
    try:
        with transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            with clinic_scope(place.clinic, reason="crowd"):
                crowd(place.clinic, PATIENTS, first_number=1000)
                grow(place)
                keep_draft(actor=place.actor(Role.CLINIC_ADMIN), form="patient-register", typed=QueryDict("city=Leeds"))
                for number in range(VISITS):
                    book(place, at(place, 3 + number // 8, 9 + number % 8))
                for model, make in MAKERS.items():
                    if not model._default_manager.exists():
                        make(place)
            for table in _tables():
                _copy_rows(cursor, table, place)
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL session_replication_role = origin; SET LOCAL ROLE hms_app")
            yield
            transaction.set_rollback(True)
    finally:
        connections["default"].close()
        connections["default"] = ordinary


def _superuser() -> dict[str, Any]:
    if settings.EMBEDDED_POSTGRES:
        return {"USER": "postgres", "PASSWORD": ""}
    parts = urlsplit(settings.HMS_DATABASE_ADMIN_URL)
    return {"USER": unquote(parts.username or ""), "PASSWORD": unquote(parts.password or "")}


def _tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return sorted({model._meta.db_table for model in models if hasattr(model, "table_kind")} | {"django_session"})


def _copy_rows(cursor: Any, table: str, place: Place) -> None:
    columns = _columns(cursor, table)
    names = [name for name, *_ in columns]
    of_place = f" WHERE clinic_id = '{place.clinic.pk}'" if "clinic_id" in names else ""
    cursor.execute(f'SELECT count(*) FROM "{table}"{of_place}')
    (count,) = cursor.fetchone()
    if not count:
        return
    copies = max(-(-ROWS // count), CLINICS)
    values = ", ".join(_value(*column) for column in columns)
    quoted = ", ".join(f'"{name}"' for name in names)
    cursor.execute(
        f'INSERT INTO "{table}" ({quoted}) SELECT {values} '
        f'FROM (SELECT * FROM "{table}"{of_place}) s, generate_series(1, {copies}) n'
    )


def _columns(cursor: Any, table: str) -> list[tuple[str, str, int, bool]]:
    """Name, type, length, and whether the column has to differ in a copy: it is in a unique index without an id."""
    cursor.execute(
        """
        SELECT a.attname, t.typname, a.atttypmod - 4,
            EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)
                AND NOT EXISTS (SELECT FROM pg_attribute o
                    WHERE o.attrelid = a.attrelid AND o.attnum = ANY (i.indkey) AND o.atttypid = 'uuid'::regtype))
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
        """,
        [table],
    )
    return list(cursor.fetchall())


def _value(name: str, kind: str, length: int, unique: bool) -> str:
    column = f's."{name}"'
    if name == "clinic_id":
        return CLINIC_ID
    if kind == "uuid":
        return KEY.format(column=column)
    if unique and kind in ("varchar", "text"):
        return UNIQUE_TEXT.format(column=column, length=length if length > 0 else 32)
    return column
