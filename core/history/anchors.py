"""The heads of the chains, written down outside of the database: who rewrites a whole chain, key and all, is found by them.

One file a day, a line of JSON for each head that is new. They are worth as much as the place they are copied to: one where
whoever runs the database can't write.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from core.database.roles import connection_apart
from core.history.sealing import HEAD, Chain, Sealed, chains, seal


@dataclass(frozen=True, slots=True)
class Anchor:
    """At that time block `number` was the last of its chain and had this hash. `clinic` "": of no clinic."""

    at: str
    clinic: str
    table: str
    number: int
    hash: str

    @property
    def chain(self) -> tuple[UUID | None, str]:
        return UUID(self.clinic) if self.clinic else None, self.table


def anchor(connection: psycopg.Connection[Any], folder: Path) -> int:
    """Append the heads that no anchor names yet to today's file, on disk when it returns; their number. One query a chain."""
    now = datetime.now(UTC)
    known = read_anchors(folder)
    new = [one for one in _heads(connection, now) if one.number not in known.get(one.chain, {})]
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(asdict(one), separators=(",", ":")) + "\n" for one in new)
        with (folder / f"{now:%Y-%m-%d}.jsonl").open("a", encoding="ascii") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
    return len(new)


def anchor_daily(connection: psycopg.Connection[Any], folder: Path) -> int:
    """The same, unless today (UTC) has its file already; then 0."""
    return 0 if (folder / f"{datetime.now(UTC):%Y-%m-%d}.jsonl").exists() else anchor(connection, folder)


def _heads(connection: psycopg.Connection[Any], now: datetime) -> Iterator[Anchor]:
    for chain in chains(connection):
        if head := _head(connection, chain):
            at = now.isoformat(timespec="seconds")
            yield Anchor(at, str(chain.clinic_id or ""), chain.table, head[0], bytes(head[1]).hex())


def _head(connection: psycopg.Connection[Any], chain: Chain) -> tuple[Any, ...] | None:
    return connection.execute(chain.statement(HEAD), chain.values()).fetchone()


def read_anchors(folder: Path) -> dict[tuple[UUID | None, str], dict[int, Anchor]]:
    """All anchors of the folder's files, by chain and number; the oldest of a block counts. Raises ValueError for a broken line."""
    found: dict[tuple[UUID | None, str], dict[int, Anchor]] = defaultdict(dict)
    for path in sorted(folder.glob("*.jsonl")):
        for position, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
            try:
                one = Anchor(**json.loads(line))
                found[one.chain].setdefault(one.number, one)
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path.name}, line {position} is no anchor: {error}") from error
    return dict(found)


def seal_and_anchor(folder: Path) -> tuple[Sealed, int]:
    """Seal what is new, as hms_platform; then write the day's heads down unless they are written. How many that were."""
    with connection_apart("hms_platform") as connection:
        return seal(connection), anchor_daily(connection, folder)
