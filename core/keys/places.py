"""Where encrypted values stand: every encrypted column, found in the models, and the odd places that register themselves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, LiteralString, NamedTuple, Protocol
from uuid import UUID

from django.apps import apps
from django.db import connections
from django.db.models import Model
from psycopg import sql

from core.keys.memory import keys_of
from core.keys.sealing import CLINIC, HEADER, SEALED_TEXT, seal, seal_text, unseal, unseal_text
from core.security.crypto import RING, Undecipherable, encrypt, newest_number
from core.tenancy.context import Scope, unit_of_work
from core.tenancy.protection import markable

BATCH = 50  # rows in one transaction: whoever wants one of them waits for less than the lock limit, also on a busy machine
# The part of a value that says what it is under.
LABEL = "CASE get_byte({column}, 0) WHEN 1 THEN substring({column} FROM 1 FOR 2) ELSE substring({column} FROM 1 FOR 17) END"
# Likewise of a text, sealed or not. What is damaged is AMISS as well, and then found to be unreadable.
AMISS, AMISS_SQL = b"\0", "'\\x00'::bytea"
TEXT_LABEL = (
    "CASE WHEN left({column}, 1) = {seal} AND substring({column} FROM 2 FOR 24) ~ '^[A-Za-z0-9+/]{{24}}$' "
    "THEN substring(decode(substring({column} FROM 2 FOR 24), 'base64') FROM 1 FOR 17) ELSE {amiss} END"
)
USAGE_MARKED = "SELECT {label}, count(*) FROM {table} WHERE {whose} AND {column} <> '' GROUP BY 1"
USAGE_UNMARKED = "SELECT {amiss}, count(*) FROM {table} WHERE {whose} AND left({column}, 1) = {seal} GROUP BY 1"


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

    holds: ClassVar[LiteralString] = "bytea"

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

    def _wrong(self, target: Target) -> tuple[sql.Composable, list[Any]]:
        """The condition for a value that doesn't stand as it should, and its parameters."""
        ring = " AND get_byte({column}, 0) = 1" if target.only_ring else ""
        return sql.SQL("{column} <> '' AND {label} <> %s" + ring).format(**self._names(None)), [target.label]

    def _renewed(self, value: Any, context: str, target: Target) -> Any:
        """The value as it should stand. Raises Undecipherable."""
        return target.renewed(bytes(value), context)

    def _outdated(self, cursor: Any, target: Target, after: Any) -> list[Any]:
        """Key, value and `bound` of the next rows, locked. Rows that others hold are passed over."""
        wrong, given = self._wrong(target)
        statement = sql.SQL(
            "SELECT {pk}, {column}{bound} FROM {table} WHERE {whose} AND {later} AND {wrong} "
            "ORDER BY {pk} LIMIT {batch} FOR NO KEY UPDATE SKIP LOCKED"
        ).format(
            later=sql.SQL("{pk} > %s").format(**self._names(None)) if after is not None else sql.SQL("true"),
            wrong=wrong,
            batch=sql.Literal(BATCH),
            bound=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(one)) for one in self.bound),
            **self._names(target.clinic_id),
        )
        cursor.execute(statement, [*(one for one in (target.clinic_id, after) if one is not None), *given])
        return list(cursor.fetchall())

    def _renew_rows(self, cursor: Any, rows: list[Any], target: Target) -> Done:
        renewed, unreadable = {}, []
        for pk, sealed, *bound in rows:
            try:
                renewed[pk] = self._renewed(sealed, self.context.format(*bound) if bound else self.context, target)
            except Undecipherable:
                unreadable.append(f"{self.name} {pk}")
        if renewed:
            kind = self.model._meta.pk.db_type(connections["platform"])
            statement = sql.SQL(
                "UPDATE {table} SET {column} = given.value FROM unnest(%s::{kind}[], %s::{what}[]) AS given (pk, value) "
                "WHERE {table}.{pk} = given.pk"
            ).format(kind=sql.SQL(str(kind)), what=sql.SQL(self.holds), **self._names(None))
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


@dataclass(frozen=True, slots=True)
class TextColumn(Column):
    """A column of text that a clinic may mark as protected: `mark` is its name among the clinic's marks.

    A clear value of a marked field and a sealed one of a field that isn't are outdated too; in `usage` both stand under AMISS.
    """

    mark: str = ""
    holds: ClassVar[LiteralString] = "text"

    def usage(self, clinic_id: UUID | None) -> dict[bytes, int]:
        if clinic_id is None:
            return {}
        with working() as cursor:
            statement = USAGE_MARKED if self._is_marked(clinic_id) else USAGE_UNMARKED
            cursor.execute(sql.SQL(statement).format(**self._names(clinic_id)), [clinic_id])
            return {bytes(label): count for label, count in cursor.fetchall()}

    def _is_marked(self, clinic_id: UUID) -> bool:
        return self.mark in keys_of(clinic_id).protected

    def _wrong(self, target: Target) -> tuple[sql.Composable, list[Any]]:
        if target.clinic_id is None or target.only_ring:
            return sql.SQL("false"), []  # a text was never sealed under a key of the deployment
        if self._is_marked(target.clinic_id):
            return sql.SQL("{column} <> '' AND {label} <> %s").format(**self._names(None)), [target.label]
        return sql.SQL("left({column}, 1) = {seal}").format(**self._names(None)), []

    def _renewed(self, value: Any, context: str, target: Target) -> Any:
        plain = unseal_text(value, context=context)
        assert target.clinic_id is not None  # noqa: S101  (_wrong finds none of nobody's)
        return seal_text(plain, clinic_id=target.clinic_id, context=context) if self._is_marked(target.clinic_id) else plain

    def _names(self, clinic_id: UUID | None) -> dict[str, sql.Composable]:
        names = Column._names(self, clinic_id)
        names |= {"seal": sql.Literal(SEALED_TEXT), "amiss": sql.SQL(AMISS_SQL)}
        return {**names, "label": sql.SQL(TEXT_LABEL).format(**names)}


_odd: list[Place] = []
_marked: list[Place] = []
_odd_columns: list[tuple[str, str, str, tuple[str, ...]]] = []


def encrypts_column(model: str, column: str, context: str, *bound: str) -> None:
    """Say that a BinaryField holds encrypted values: `encrypts_column("core.Draft", "payload", CONTEXT)`. Once, at the start.

    `bound` names the columns of the row whose values stand in its context, each at a `{}`.
    """
    _odd_columns.append((model, column, context, bound))


def encrypts_elsewhere(place: Place) -> None:
    """Say that encrypted values stand outside of the tables. Once, as HMS starts."""
    _odd.append(place)


def follows_marks(place: Place) -> None:
    """Say that a place outside of the columns holds values of fields that clinics mark as protected. Once, as HMS starts."""
    _marked.append(place)


def columns() -> list[Column]:
    """Every column of bytes of every model that is encrypted."""
    fields: Iterator[Any] = (field for model in apps.get_models() for field in model._meta.local_concrete_fields)
    found = [Column(field.model, field.column, field.context) for field in fields if getattr(field, "is_encrypted", False)]
    return found + [Column(apps.get_model(model), column, context, bound) for model, column, context, bound in _odd_columns]


def places_of_marks() -> list[Place]:
    """Where it depends on the clinic's marks whether a value is encrypted."""
    return [*(TextColumn(one.model, one.column, one.context, mark=mark) for mark, one in markable().items()), *_marked]


def places_of_clinics() -> list[Place]:
    """Where a clinic's own values stand."""
    return [*(one for one in columns() if one.has_clinic), *places_of_marks(), *_odd]


def places_of_nobody() -> list[Place]:
    """Where values stand that belong to no clinic, or to none in some rows."""
    return [one for one in columns() if _may_lack_a_clinic(one)]


def _may_lack_a_clinic(column: Column) -> bool:
    fields: Iterable[Any] = column.model._meta.local_concrete_fields
    return all(one.null for one in fields if one.column == "clinic_id")


assert len(bytes([CLINIC]) + UUID(int=0).bytes) == HEADER  # noqa: S101  (what LABEL says in SQL)
