"""Finds what was changed behind the seals: recomputes every block, and names the block, the table and the row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg

from core.history.anchors import Anchor
from core.history.sealed import SealedTable
from core.history.sealing import FIRST, ROWS, Block, Chain, chains, mac_of, restates, seal_keys

BLOCKS = """
SELECT number, sealed_at, row_ids, row_digests, previous, month, hash, key_number, mac FROM core_seal
WHERE {clinic} AND table_name = %(table)s AND number > %(number)s ORDER BY number LIMIT 20
"""
BEFORE = """
SELECT number, hash, row_ids[cardinality(row_ids)] FROM core_seal
WHERE {clinic} AND table_name = %(table)s AND sealed_at < %(since)s ORDER BY number DESC LIMIT 1
"""
UNSEALED = "SELECT count(*) FROM {table} r WHERE {clinic} AND r.{number} > %(after)s"
type Anchors = Mapping[tuple[UUID | None, str], Mapping[int, Anchor]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed. `row_id` None: the block itself."""

    chain: Chain
    number: int
    row_id: int | None
    words: str

    def __str__(self) -> str:
        row = f", row {self.row_id}" if self.row_id is not None else ""
        return f"{self.chain}, block {self.number}{row}: {self.words}"


@dataclass(slots=True)
class Verified:
    """What was looked at. `unsealed` rows came after the last block; `dropped` ones went with their month, in due time."""

    blocks: int = 0
    rows: int = 0
    dropped: int = 0
    unsealed: int = 0


def verify(
    connection: psycopg.Connection[Any],
    verified: Verified,
    *,
    clinic_id: UUID | None = None,
    since: datetime | None = None,
    anchors: Anchors | None = None,
) -> Iterator[Finding]:
    """Everything that is wrong with the seals of all clinics or one; with `since` only of blocks made from then on.

    Counts into `verified`. Reads every row once, a block at a time; memory stays small. As hms_platform.
    """
    left = {**(anchors or {})}
    for chain in chains(connection, clinic_id):
        own = left.pop((chain.clinic_id, chain.table), {})
        yield from _Check(connection, chain, verified, own).run(since)
    for (gone, table), own in left.items():
        if clinic_id is None:
            number = max(own)
            yield Finding(Chain(gone, SealedTable(table)), number, None, f"its clinic is gone; it was anchored {own[number].at}")


class _Check:
    """One chain, block by block."""

    def __init__(
        self, connection: psycopg.Connection[Any], chain: Chain, verified: Verified, anchors: Mapping[int, Anchor]
    ) -> None:
        self.connection, self.chain, self.verified, self.anchors = connection, chain, verified, anchors
        self.keys = seal_keys()
        self.number, self.previous, self.after = 0, FIRST, 0

    def run(self, since: datetime | None) -> Iterator[Finding]:
        if since is not None:
            found = self._ask(BEFORE, since=since)
            self.number, self.previous, self.after = found[0] if found else (0, FIRST, 0)
        while blocks := self._ask(BLOCKS, number=self.number):
            for block in blocks:
                yield from self._block(*block)
        for number, anchor in self.anchors.items():
            if number > self.number:
                yield self._finding(number, f"it is missing; it was anchored {anchor.at}")
        ((count,),) = self._ask(UNSEALED, after=self.after)
        self.verified.unsealed += count

    def _block(
        self, number: int, sealed_at: datetime, ids: list[int], digests: bytes, previous: bytes, month: date | None, hash_: bytes,
        key: int, mac: bytes,
    ) -> Iterator[Finding]:  # fmt: skip
        for missing in range(self.number + 1, number):
            yield self._finding(missing, "it is missing")
        block = Block(self.chain, number, sealed_at, ids, bytes(digests), bytes(previous), month)
        if bytes(previous) != self.previous:
            yield self._finding(number, "it does not follow the block before it")
        yield from self._sealed_by_us(block, bytes(hash_), key, bytes(mac))
        if ids:
            yield from self._rows(block)
        self.verified.blocks += 1
        self.number, self.previous = number, bytes(hash_)
        self.after = max(self.after, *ids) if ids else self.after

    def _sealed_by_us(self, block: Block, hash_: bytes, key: int, mac: bytes) -> Iterator[Finding]:
        if block.hash() != hash_:
            yield self._finding(block.number, "it was changed")
        if key not in self.keys:
            yield self._finding(block.number, f"its key {key} is not in HMS_ENCRYPTION_KEYS")
        elif mac_of(hash_, self.keys[key]) != mac:
            yield self._finding(block.number, "it was not sealed with the key")
        anchor = self.anchors.get(block.number)
        if anchor is not None and anchor.hash != hash_.hex():
            yield self._finding(block.number, f"it is not the one that was anchored {anchor.at}")

    def _rows(self, block: Block) -> Iterator[Finding]:
        sealed = {id_: block.row_digests[32 * n : 32 * n + 32] for n, id_ in enumerate(block.row_ids)}
        if list(sealed) != sorted(block.row_ids):
            yield self._finding(block.number, "its rows are not in their order")
        found = self._live(block.row_ids[-1])
        if not found and block.month is not None:
            if self.chain.sealed.may_be_gone(block.month):
                self.verified.dropped += len(sealed)
            else:
                yield self._finding(
                    block.number, f"all its {len(sealed)} rows of {block.month:%Y-%m} are missing before their time"
                )
            return
        for id_ in self._restated([id_ for id_, rows in found.items() if not all(intact for _, intact in rows)]):
            found[id_] = [(digest, True) for digest, _ in found[id_]]
        for id_ in sorted(sealed.keys() | found.keys()):
            if words := _differs(sealed.get(id_), found.get(id_, [])):
                yield self._finding(block.number, words, id_)
        self.verified.rows += len(sealed)

    def _live(self, until: int) -> dict[int, list[tuple[bytes, bool]]]:
        """The rows that are there now, from behind the block before up to the block's last. A number may be there twice
        where it is no key."""
        found: dict[int, list[tuple[bytes, bool]]] = {}
        for id_, digest, intact, _ in self._ask(ROWS, after=self.after, until=until, batch=None):
            found.setdefault(id_, []).append((bytes(digest), bool(intact)))
        return found

    def _restated(self, ids: list[int]) -> Iterator[int]:
        """Those of the rows whose values are others now and rightly so. One query if there is any row."""
        if ids and self.chain.sealed.restated:
            for id_, before, after, said in self.connection.execute(self.chain.sealed.restated, {"ids": ids}).fetchall():
                if any(restates(one, id_, bytes(before), bytes(after)) for one in said):
                    yield id_

    def _ask(self, statement: str, **values: Any) -> list[Any]:
        return self.connection.execute(self.chain.statement(statement), self.chain.values(**values)).fetchall()

    def _finding(self, number: int, words: str, row_id: int | None = None) -> Finding:
        return Finding(self.chain, number, row_id, words)


def _differs(sealed: bytes | None, live: list[tuple[bytes, bool]]) -> str:
    if not live:
        return "it is missing"
    if sealed is None:
        return "it was added"
    if len(live) > 1:
        return "another one was added under its number"
    digest, intact = live[0]
    if digest != sealed:
        return "it was changed"
    return "" if intact else "its values were changed"
