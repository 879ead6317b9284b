"""Where encrypted values stand: every encrypted column, found in the models, and the odd places that register themselves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.apps import apps
from django.db import connections
from django.db.models import Model
from psycopg import sql

from core.keys.sealing import CLINIC, HEADER, seal, unseal
from core.security.crypto import RING, Undecipherable, encrypt, newest_number
from core.tenancy.context import Scope, unit_of_work

BATCH = 50  # rows in one transaction: whoever wants one of them waits for less than the lock limit, also on a busy machine
# The part of a value that says what it is under.
LABEL = "CASE get_byte({column}, 0) WHEN 1 THEN substring({column} FROM 1 FOR 2) ELSE substring({column} FROM 1 FOR 17) END"


class Target(NamedTuple):
    """Under what a clinic's values shall stand (None: what belongs to no clinic, under the deployment's newest key).

    `only_ring`: values under an older key of the clinic are left as they are.
    """

    clinic_id: UUID | None
    label: bytes
    only_ring: bool = False

    def renewed(self, sealed: bytes, context: str) -> bytes:
        plain = unseal(sealed, context=context)
        if self.clinic_id is None:
            return encrypt(plain, context=context)
        return seal(plain, clinic_id=self.clinic_id, context=context)

    def is_outdated(self, label: bytes) -> bool:
        return label != self.label and (not self.only_ring or label[0] == RING)


@dataclass(slots=True)
class Done:
    """What a step did: values renewed, and where values stand that no key opens."""

    renewed: int = 0
    unreadable: tuple[str, ...] = ()


class Place(Protocol):
    """Encrypted values of one kind. All run in transactions of their own, in the platform's scope."""

    @property
    def name(self) -> str: ...

    def renew(self, target: Target) -> Iterator[Done]:
        """Encrypt anew what is outdated, step by step. A value that somebody holds at this moment is left for another pass."""

    def usage(self, clinic_id: UUID | None) -> dict[bytes, int]:
        """How many values stand under what, by label."""


def label_of(sealed: bytes) -> bytes:
    """The part of a value that says what it is under: 2 bytes for a key of the deployment, 17 for a clinic's."""
    return sealed[:2] if sealed[:1] == bytes([RING]) else sealed[:HEADER]


def ring_target() -> Target:
    return Target(None, bytes([RING, newest_number()]), only_ring=True)


@contextmanager
def working() -> Iterator[Any]:
    """One short transaction across clinics. Gives its cursor. Triggers that keep a history see `hms.reencrypting`."""
    with unit_of_work(Scope(reason="key rotation", platform=True)), connections["platform"].cursor() as cursor:
        cursor.execute("SELECT set_config('hms.reencrypting', 'on', true)")
        yield cursor


@dataclass(frozen=True, slots=True)
class Column:
    """A bytea column. `context` is what its values are bound to, with `{}` for each of the row's columns in `bound`.

    An empty value is not encrypted.
    """

    model: type[Model]
    column: str
    context: str
    bound: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    @property
    def has_clinic(self) -> bool:
        return any(one.column == "clinic_id" for one in self.model._meta.local_concrete_fields)

    def renew(self, target: Target) -> Iterator[Done]:
        after: Any = None
        while True:
            with working() as cursor:
                rows = self._outdated(cursor, target, after)
                if not rows:
                    return
                done = self._renew_rows(cursor, rows, target)
            after = rows[-1][0]
            yield done

    def usage(self, clinic_id: UUID | None) -> dict[bytes, int]:
        statement = sql.SQL("SELECT {label}, count(*) FROM {table} WHERE {whose} AND {column} <> '' GROUP BY 1")
        with working() as cursor:
            cursor.execute(statement.format(**self._names(clinic_id)), [clinic_id] if clinic_id else [])
            return {bytes(label): count for label, count in cursor.fetchall()}

    def _outdated(self, cursor: Any, target: Target, after: Any) -> list[Any]:
        """Key, value and `bound` of the next rows, locked. Rows that others hold are passed over."""
        statement = sql.SQL(
            "SELECT {pk}, {column}{bound} FROM {table} WHERE {whose} AND {later} AND {column} <> '' AND {label} <> %s {ring} "
            "ORDER BY {pk} LIMIT {batch} FOR NO KEY UPDATE SKIP LOCKED"
        ).format(
            later=sql.SQL("{pk} > %s").format(**self._names(None)) if after is not None else sql.SQL("true"),
            ring=sql.SQL("AND get_byte({column}, 0) = 1").format(**self._names(None)) if target.only_ring else sql.SQL(""),
            batch=sql.Literal(BATCH),
            bound=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(one)) for one in self.bound),
            **self._names(target.clinic_id),
        )
        values = [target.clinic_id, after, target.label]
        cursor.execute(statement, [one for one in values if one is not None])
        return list(cursor.fetchall())

    def _renew_rows(self, cursor: Any, rows: list[Any], target: Target) -> Done:
        renewed, unreadable = {}, []
        for pk, sealed, *bound in rows:
            try:
                renewed[pk] = target.renewed(bytes(sealed), self.context.format(*bound) if bound else self.context)
            except Undecipherable:
                unreadable.append(f"{self.name} {pk}")
        if renewed:
            kind = self.model._meta.pk.db_type(connections["platform"])
            statement = sql.SQL(
                "UPDATE {table} SET {column} = given.value FROM unnest(%s::{kind}[], %s::bytea[]) AS given (pk, value) "
                "WHERE {table}.{pk} = given.pk"
            ).format(kind=sql.SQL(str(kind)), **self._names(None))
            cursor.execute(statement, [list(renewed), list(renewed.values())])
        return Done(len(renewed), tuple(unreadable))

    def _names(self, clinic_id: UUID | None) -> dict[str, sql.Composable]:
        """What statements are made of; `whose` takes the clinic as a parameter if there is one."""
        column = sql.Identifier(self.column)
        one_clinics = "clinic_id = %s" if clinic_id else "clinic_id IS NULL"
        return {
            "table": sql.Identifier(self.model._meta.db_table),
            "pk": sql.Identifier(str(self.model._meta.pk.column)),
            "column": column,
            "label": sql.SQL(LABEL).format(column=column),
            "whose": sql.SQL(one_clinics if self.has_clinic else "true"),
        }


_odd: list[Place] = []
_odd_columns: list[tuple[str, str, str, tuple[str, ...]]] = []


def encrypts_column(model: str, column: str, context: str, *bound: str) -> None:
    """Say that a BinaryField holds encrypted values: `encrypts_column("core.Draft", "payload", CONTEXT)`. Once, at the start.

    `bound` names the columns of the row whose values stand in its context, each at a `{}`.
    """
    _odd_columns.append((model, column, context, bound))


def encrypts_elsewhere(place: Place) -> None:
    """Say that encrypted values stand outside of the tables. Once, as HMS starts."""
    _odd.append(place)


def columns() -> list[Column]:
    """Every encrypted column of every model."""
    fields: Iterator[Any] = (field for model in apps.get_models() for field in model._meta.local_concrete_fields)
    found = [Column(field.model, field.column, field.context) for field in fields if getattr(field, "is_encrypted", False)]
    return found + [Column(apps.get_model(model), column, context, bound) for model, column, context, bound in _odd_columns]


def places_of_clinics() -> list[Place]:
    """Where a clinic's own values stand."""
    return [*(one for one in columns() if one.has_clinic), *_odd]


def places_of_nobody() -> list[Place]:
    """Where values stand that belong to no clinic, or to none in some rows."""
    return [one for one in columns() if _may_lack_a_clinic(one)]


def _may_lack_a_clinic(column: Column) -> bool:
    fields: Iterable[Any] = column.model._meta.local_concrete_fields
    return all(one.null for one in fields if one.column == "clinic_id")


assert len(bytes([CLINIC]) + UUID(int=0).bytes) == HEADER  # noqa: S101  (what LABEL says in SQL)
