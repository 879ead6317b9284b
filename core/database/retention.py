"""Rows that are kept for a time only. `manage.py maintain` deletes what is older."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql


class Kept(NamedTuple):
    """Rows of `table` are deleted when `column` is older than `age()`."""

    table: str
    column: str
    age: Callable[[], timedelta]


_kept: list[Kept] = []


def kept_tables() -> frozenset[str]:
    """The tables whose rows are kept for a time only."""
    return frozenset(one.table for one in _kept)


def keep_for(table: str, column: str, age: Callable[[], timedelta]) -> None:
    """Called once, as HMS starts. `age` is asked at each run, so that settings hold."""
    _kept.append(Kept(table, column, age))


def outdated(connection: psycopg.Connection[Any]) -> Iterator[tuple[sql.Composed, str, str]]:
    """Statement, words and reason for each table with rows that are too old. One query a table."""
    for one in _kept:
        days = one.age().total_seconds() / 86400
        names = {"table": sql.Identifier(one.table), "column": sql.Identifier(one.column), "age": sql.Literal(one.age())}
        where = sql.SQL("{table} WHERE {column} < now() - {age}").format(**names)
        (count,) = connection.execute(sql.SQL("SELECT count(*) FROM ") + where).fetchone() or (0,)
        if count:
            yield sql.SQL("DELETE FROM ") + where, f"old rows of {one.table}", f"{count} rows older than {days:g} days"
