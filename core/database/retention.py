"""Rows that are kept for a time only. `manage.py maintain` deletes what is older."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql


class Kept(NamedTuple):
    """Rows of `table` are deleted when `column` is older than `age()`."""

    table: str
    column: str
    age: Callable[[], timedelta]


type Ask = Callable[[psycopg.Connection[Any]], Iterable[tuple[sql.Composed, str, str]]]

_kept: list[Kept] = []
_also: list[Ask] = []


def kept_tables() -> frozenset[str]:
    """The tables whose rows are kept for a time only."""
    return frozenset(one.table for one in _kept)


def keep_for(table: str, column: str, age: Callable[[], timedelta]) -> None:
    """Called once, as HMS starts. `age` is asked at each run, so that settings hold."""
    _kept.append(Kept(table, column, age))


def also_due(ask: Ask) -> None:
    """Called once, as HMS starts. `ask` gives further statements that are due, each with its words and its reason."""
    _also.append(ask)


def outdated(connection: psycopg.Connection[Any]) -> Iterator[tuple[sql.Composed, str, str]]:
    """Statement, words and reason for each table with rows that are too old, and what else is due. One query a table."""
    for ask in _also:
        yield from ask(connection)
    for one in _kept:
        days = one.age().total_seconds() / 86400
        names = {"table": sql.Identifier(one.table), "column": sql.Identifier(one.column), "age": sql.Literal(one.age())}
        where = sql.SQL("{table} WHERE {column} < now() - {age}").format(**names)
        (count,) = connection.execute(sql.SQL("SELECT count(*) FROM ") + where).fetchone() or (0,)
        if count:
            yield sql.SQL("DELETE FROM ") + where, f"old rows of {one.table}", f"{count} rows older than {days:g} days"
