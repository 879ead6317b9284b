"""Seals the rows of tables that only grow, in chains of blocks, one for each clinic and table. Nothing waits for it.

A block holds a digest of each of its rows, so that a later check can name the row that was changed, is missing or was added.
Its hash covers the block before, and carries a mac under a key that the database doesn't have.
"""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import takewhile
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from psycopg import sql

from core.history.sealed import SealedTable, sealed_tables
from core.tenancy.ids import new_id

BATCH = 1000  # rows in a block: 40 KB of digests and numbers
PATIENCE = 5.0  # seconds to wait for transactions that may still add rows below the last number
FIRST = b"\x00" * 32  # stands for the block before the first one

LAST_NUMBER = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass), 0)"
WRITERS = """
SELECT array_agg(virtualtransaction) FROM pg_locks
WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid()
"""
STILL_WRITING = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND relation = %s::regclass
AND mode = 'RowExclusiveLock' AND virtualtransaction = ANY (%s))
"""
CLINICS = "SELECT id FROM core_clinic UNION SELECT clinic_id FROM core_seal UNION SELECT NULL ORDER BY 1 NULLS FIRST"
HEAD = """
SELECT number, hash, row_ids[cardinality(row_ids)] FROM core_seal
WHERE {clinic} AND table_name = %(table)s ORDER BY number DESC LIMIT 1
"""
ROWS = """
SELECT r.{number}, {digest}, {intact}, {month} FROM {table} r
WHERE {clinic} AND r.{number} > %(after)s AND r.{number} <= %(until)s ORDER BY r.{number} LIMIT %(batch)s
"""
WRITE = """
INSERT INTO core_seal
    (id, clinic_id, table_name, number, sealed_at, row_ids, row_digests, month, previous, hash, key_number, mac)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('hms.seal ' || %s, 0))"


@dataclass(frozen=True, slots=True)
class Chain:
    """The blocks of one table's rows of one clinic; `clinic_id` None: of the rows that are no clinic's."""

    clinic_id: UUID | None
    sealed: SealedTable

    @property
    def table(self) -> str:
        return self.sealed.table

    def __str__(self) -> str:
        return f"{self.table} of {self.clinic_id or 'no clinic'}"

    def statement(self, template: str, **parts: sql.Composable) -> sql.Composed:
        clinic = sql.SQL("clinic_id = %(clinic)s") if self.clinic_id else sql.SQL("clinic_id IS NULL")
        return sql.SQL(template).format(
            clinic=clinic, table=sql.Identifier(self.table), number=sql.Identifier(self.sealed.number),
            digest=sql.SQL(self.sealed.row_digest), intact=sql.SQL(self.sealed.intact), month=sql.SQL(self.sealed.month), **parts,
        )  # fmt: skip

    def values(self, **more: Any) -> dict[str, Any]:
        return {"clinic": self.clinic_id, "table": self.table, **more}


@dataclass(frozen=True, slots=True)
class Block:
    """What a block's hash covers. `month`: of all its rows; None where rows are never dropped."""

    chain: Chain
    number: int
    sealed_at: datetime
    row_ids: list[int]
    row_digests: bytes
    previous: bytes
    month: date | None = None

    def hash(self) -> bytes:
        head = [
            str(self.chain.clinic_id or ""), self.chain.table, self.number, self.sealed_at.astimezone(UTC).isoformat(),
            self.row_ids, hashlib.sha256(self.row_digests).hexdigest(), self.previous.hex(),
        ]  # fmt: skip
        if self.month is not None:
            head.append(self.month.isoformat())
        return hashlib.sha256(json.dumps(head, separators=(",", ":")).encode()).digest()


def chains(connection: psycopg.Connection[Any], clinic_id: UUID | None = None) -> Iterator[Chain]:
    """All chains there can be, or those of one clinic. One query."""
    found = [clinic_id] if clinic_id else [one for (one,) in connection.execute(CLINICS).fetchall()]
    for sealed in sealed_tables():
        for one in found:
            yield Chain(one, sealed)


@dataclass(slots=True)
class Sealed:
    """What one run did: new blocks, and the tables that wait for the next run because somebody writes for too long."""

    blocks: int = 0
    waiting: list[str] = field(default_factory=list)


def seal(connection: psycopg.Connection[Any], *, clinic_id: UUID | None = None, patience: float = PATIENCE) -> Sealed:
    """Seal what is not sealed yet, of all clinics or one. As hms_platform, on a connection in autocommit.

    Rows are sealed once no open transaction can add one below them; a table into which one writes for longer than `patience`
    (seconds) waits for the next run. Two runs at once do no harm. Two queries a chain, two more a block.
    """
    done = Sealed()
    for sealed in sealed_tables():
        until = _settled(connection, sealed, patience)
        if until is None:
            done.waiting.append(sealed.table)
            continue
        for chain in chains(connection, clinic_id):
            if chain.sealed is sealed:
                done.blocks += _seal_chain(connection, chain, until)
    return done


def _settled(connection: psycopg.Connection[Any], sealed: SealedTable, patience: float) -> int | None:
    """The number up to which no more rows can come. None if somebody writes for too long.

    A writer locks the table before it draws a number: when those who hold the lock now are gone, all lower numbers are in.
    """
    table = sealed.table
    (until,) = connection.execute(LAST_NUMBER, [table, sealed.number]).fetchone() or (0,)
    (writers,) = connection.execute(WRITERS, [table]).fetchone() or (None,)
    deadline = time.monotonic() + patience
    while writers and (connection.execute(STILL_WRITING, [table, writers]).fetchone() or (False,))[0]:
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.02)
    return int(until)


def _seal_chain(connection: psycopg.Connection[Any], chain: Chain, until: int) -> int:
    made = 0
    while True:
        with connection.transaction():
            if not (connection.execute(TRY_LOCK, [str(chain)]).fetchone() or (False,))[0]:
                return made
            sealed, more = _seal_batch(connection, chain, until)
        made += sealed
        if not more:
            return made


def _seal_batch(connection: psycopg.Connection[Any], chain: Chain, until: int) -> tuple[bool, bool]:
    """One block of what comes after the last one, of one month's rows. Whether there was something, and whether there is more."""
    number, previous, after = connection.execute(chain.statement(HEAD), chain.values()).fetchone() or (0, FIRST, 0)
    if after >= until:
        return False, False
    given = chain.values(after=after, until=until, batch=BATCH)
    found = connection.execute(chain.statement(ROWS), given).fetchall()
    if not found:
        return False, False
    month = found[0][3]
    rows = list(takewhile(lambda row: row[3] == month, found))
    digests = b"".join(row[1] for row in rows)
    write(connection, Block(chain, number + 1, datetime.now(UTC), [row[0] for row in rows], digests, previous, month))
    return True, len(rows) < len(found) or len(found) == BATCH


def write(connection: psycopg.Connection[Any], block: Block) -> None:
    """Append the block to its chain."""
    key_number, key = next(iter(seal_keys().items()))
    found = block.hash()
    connection.execute(
        WRITE,
        [
            new_id(), block.chain.clinic_id, block.chain.table, block.number, block.sealed_at, block.row_ids, block.row_digests,
            block.month, block.previous, found, key_number, mac_of(found, key),
        ],
    )  # fmt: skip


def mac_of(found: bytes, key: bytes) -> bytes:
    return hmac.new(key, found, hashlib.sha256).digest()


def restated(row_id: int, before: bytes, after: bytes) -> str:
    """What an entry says of a row whose values were rewritten lawfully (core.history.protecting): only who has the key can."""
    number, key = next(iter(seal_keys().items()))
    return f"{number}:{mac_of(_restatement(row_id, before, after), key).hex()}"


def restates(said: str, row_id: int, before: bytes, after: bytes) -> bool:
    """Was that said of this row with one of our keys?"""
    number, _, mac = said.partition(":")
    key = seal_keys().get(int(number)) if number.isascii() and number.isdecimal() else None
    return key is not None and hmac.compare_digest(mac_of(_restatement(row_id, before, after), key).hex(), mac)


def _restatement(row_id: int, before: bytes, after: bytes) -> bytes:
    return json.dumps(["restated", row_id, before.hex(), after.hex()]).encode()


def seal_keys() -> dict[int, bytes]:
    """The key of seals under each number of HMS_ENCRYPTION_KEYS; the first seals, all are known to the verification."""
    keys = {}
    for entry in settings.HMS_ENCRYPTION_KEYS:
        number, _, encoded = entry.partition(":")
        keys[int(number)] = hmac.new(urlsafe_b64decode(encoded), b"hms: seals of the audit trail", hashlib.sha256).digest()
    return keys
