"""What the tests of a file have committed is taken away after them: the next file finds the database as the first one did."""

import psycopg
from psycopg import sql

from tests.architecture.catalogue import connected

TABLES = """
SELECT c.relname, array_agg(a.attname ORDER BY k.place)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(number, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname
"""


class Leftovers:
    """The keys of the rows that belong to every test; `note` says that what is there now does."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}

    def note(self) -> None:
        with connected("postgres") as connection:
            self._known = {name: set(self._keys(connection, name, key)) for name, key in _tables(connection)}

    def clear(self) -> list[str]:
        """Delete all other rows, past triggers and references; returns the tables in which there were some."""
        found: list[str] = []
        if not self._known:
            return found  # no test of this process has needed the database yet
        with connected("postgres") as connection:
            if not connection.info.dbname.startswith("test_"):
                raise RuntimeError(f"{connection.info.dbname} is nobody's test database.")
            connection.execute("SET session_replication_role = replica")
            for name, key in _tables(connection):
                others = [one for one in self._keys(connection, name, key) if one not in self._known.get(name, ())]
                if others:
                    delete = sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(sql.Identifier(name), _as_text(key))
                    connection.execute(delete, [others])
                    found.append(name)
            connection.commit()
        return found

    def _keys(self, connection: psycopg.Connection[tuple[str]], name: str, key: list[str]) -> list[str]:
        rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(_as_text(key), sql.Identifier(name)))
        return [one for (one,) in rows]


def _tables(connection: psycopg.Connection[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    return connection.execute(TABLES).fetchall()


def _as_text(key: list[str]) -> sql.Composable:
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, key)))


leftovers = Leftovers()
