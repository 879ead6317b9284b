"""Which indexes are missing, superfluous, unused or bloated: read from PostgreSQL's catalogue and its statistics."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

ACTIVE_ROWS = 10_000  # an unused index is worth a word in tables of this size
UNUSED_DAYS = 14
BLOAT_FACTOR = 2.5  # times the pages its entries would need
BLOAT_BYTES = 10 * 1024 * 1024  # that a rebuilt index would give back at least
PAGE, PAGE_HEAD, ENTRY_HEAD, FILL = 8192, 40, 12, 0.9  # a B-tree's page, what each page and entry costs, how full it is built

_accepted: dict[str, str] = {}


def accept(subject: str, reason: str) -> None:
    """This is as it is on purpose: the advice on `subject` (an index, or `table(columns)`) is not given again."""
    _accepted[subject] = reason


def accepted() -> dict[str, str]:
    return dict(_accepted)


@dataclass(frozen=True, slots=True)
class Advice:
    """`kind` is missing, duplicate, unused, bloated or invalid; `statement` is what one could do about it."""

    kind: str
    subject: str
    reason: str
    statement: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Index:
    """One index of the catalogue. `keys` are (column number, operator class, collation, direction) each; 0 is an expression."""

    name: str
    table: str
    method: str
    is_unique: bool
    is_valid: bool
    of_constraint: bool
    keys: tuple[tuple[int, int, int, int], ...]
    columns: tuple[str, ...]
    expressions: str
    predicate: str
    scans: int
    pages: int
    rows: float
    width: int  # bytes of an entry's columns, on average
    table_rows: int

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(key[0] for key in self.keys)

    @property
    def needed_pages(self) -> float:
        """How many pages a newly built B-tree would have, about. Equal keys share space, so that fewer are usual."""
        return 1 + max(self.rows, 0) * (self.width + ENTRY_HEAD) / ((PAGE - PAGE_HEAD) * FILL)

    @property
    def is_plain(self) -> bool:
        """Every row is in it, by columns alone."""
        return self.is_valid and not self.predicate and 0 not in self.numbers


INDEXES = """
SELECT x.relname, t.relname, am.amname, i.indisunique, i.indisvalid,
    EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')),
    (SELECT array_agg(ARRAY[k.number::int, i.indclass[k.place - 1]::int, i.indcollation[k.place - 1]::int,
        i.indoption[k.place - 1]::int] ORDER BY k.place)
     FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place) WHERE k.place <= i.indnkeyatts),
    (SELECT array_agg(coalesce(a.attname, '')::text ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
     LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0),
    coalesce(pg_get_expr(i.indexprs, i.indrelid), ''), coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
    coalesce(s.idx_scan, 0), x.relpages, x.reltuples,
    (SELECT coalesce(sum(8 * ceil(st.avg_width / 8.0)), 0)::int FROM unnest(i.indkey) AS k(number)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
     JOIN pg_stats st ON st.schemaname = n.nspname AND st.tablename = t.relname AND st.attname = a.attname),
    coalesce(ts.n_live_tup, 0)
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = i.indexrelid
LEFT JOIN pg_stat_user_tables ts ON ts.relid = i.indrelid
WHERE n.nspname = 'public' ORDER BY t.relname, x.relname
"""

# Foreign keys into tables from which rows can go away: then PostgreSQL looks for the rows that refer to them.
REFERENCES = """
SELECT t.relname, target.relname, c.conkey::int[],
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
     JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number)
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class target ON target.oid = c.confrelid
WHERE c.contype = 'f' AND t.relnamespace = 'public'::regnamespace
    AND (has_table_privilege('hms_app', c.confrelid, 'DELETE') OR has_table_privilege('hms_platform', c.confrelid, 'DELETE'))
ORDER BY 1, 3
"""

POLICIES = """
SELECT t.relname, pg_get_expr(p.polqual, p.polrelid) FROM pg_policy p JOIN pg_class t ON t.oid = p.polrelid
WHERE t.relnamespace = 'public'::regnamespace ORDER BY 1
"""

# Since when PostgreSQL has counted the uses of indexes, in days.
COUNTED_DAYS = """
SELECT extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time())) / 86400
FROM pg_stat_database WHERE datname = current_database()
"""


def indexes(connection: psycopg.Connection[Any]) -> list[Index]:
    """Every index of HMS's tables. One query."""
    return [_index(list(row)) for row in connection.execute(INDEXES).fetchall()]


def _index(row: list[Any]) -> Index:
    row[6:8] = tuple(tuple(key) for key in row[6]), tuple(row[7])
    return Index(*row)


def advice(
    connection: psycopg.Connection[Any], *, unused_days: float = UNUSED_DAYS, bloat_bytes: int = BLOAT_BYTES
) -> list[Advice]:
    """What one should look at, without what is accepted. As hms_maintenance, who sees all statistics. Four queries."""
    known = indexes(connection)
    (days,) = connection.execute(COUNTED_DAYS).fetchone() or (0,)
    found = [
        *_missing_for_references(connection, known),
        *_missing_for_policies(connection, known),
        *_superfluous(known),
        *(_unused(known, float(days)) if days >= unused_days else []),
        *bloated(known, bloat_bytes),
        *(_invalid(index) for index in known if not index.is_valid),
    ]
    return [one for one in found if one.subject not in _accepted]


def _missing_for_references(connection: psycopg.Connection[Any], known: list[Index]) -> Iterator[Advice]:
    for table, target, numbers, columns in connection.execute(REFERENCES).fetchall():
        if not any(set(index.numbers[: len(numbers)]) == set(numbers) for index in _plain_of(known, table)):
            reason = f"It refers to {target}: deleting a row there reads all of {table}."
            yield _missing(table, columns, reason)


def _missing_for_policies(connection: psycopg.Connection[Any], known: list[Index]) -> Iterator[Advice]:
    for table, condition in connection.execute(POLICIES).fetchall():
        match = re.match(r"\((\w+) = ", condition or "")
        if match and not any(index.columns[0] == match[1] for index in _plain_of(known, table)):
            yield _missing(table, [match[1]], "Row-level security asks for this column in every statement.")


def _plain_of(known: Iterable[Index], table: str) -> list[Index]:
    return [index for index in known if index.table == table and index.is_plain]


def _missing(table: str, columns: list[str], reason: str) -> Advice:
    listed = ", ".join(columns)
    return Advice("missing", f"{table}({listed})", reason, f"CREATE INDEX CONCURRENTLY ON {table} ({listed});")


def _superfluous(known: list[Index]) -> Iterator[Advice]:
    for index in known:
        better = next((other for other in known if _covers(other, index)), None)
        if better is not None:
            yield Advice("duplicate", index.name, f"{better.name} begins with the same columns.", _dropping(index))


def _covers(other: Index, index: Index) -> bool:
    """Does the other index serve every purpose of this one? Of two alike, the one that holds a rule stays, else the first."""
    if other is index or index.is_unique or index.of_constraint or index.method != "btree" or not other.is_valid:
        return False
    same_kind = (other.table, other.method, other.predicate) == (index.table, index.method, index.predicate)
    if not same_kind or other.keys[: len(index.keys)] != index.keys:
        return False
    if 0 in index.numbers and other.expressions != index.expressions:
        return False
    extra = set(index.columns[len(index.keys) :]) - set(other.columns)  # what it only carries along
    if extra:
        return False
    alike = (other.keys, set(other.columns)) == (index.keys, set(index.columns))
    return not alike or other.is_unique or other.of_constraint or other.name < index.name


def _unused(known: list[Index], days: float) -> Iterator[Advice]:
    for index in known:
        if not index.scans and not index.is_unique and not index.of_constraint and index.table_rows >= ACTIVE_ROWS:
            reason = f"Nothing has used it for {days:.0f} days, in a table of {index.table_rows} rows."
            yield Advice("unused", index.name, reason, _dropping(index))


def bloated(known: list[Index], least_bytes: int = BLOAT_BYTES) -> Iterator[Advice]:
    """B-trees that are much larger than their entries need, as of the last ANALYZE."""
    for index in known:
        waste = (index.pages - index.needed_pages) * PAGE
        is_known = index.method == "btree" and index.is_valid and index.rows >= 0 and (index.width or not index.rows)
        if is_known and waste >= least_bytes and index.pages > BLOAT_FACTOR * index.needed_pages:
            reason = f"{index.pages * PAGE // 1024} kB, of which some {round(waste) // 1024} kB are empty."
            yield Advice("bloated", index.name, reason, f"REINDEX INDEX CONCURRENTLY {index.name};")


def _invalid(index: Index) -> Advice:
    return Advice("invalid", index.name, "An interrupted CREATE or REINDEX CONCURRENTLY left it behind.", _dropping(index))


def _dropping(index: Index) -> str:
    return f"DROP INDEX CONCURRENTLY {index.name};"
