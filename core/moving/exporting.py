"""Takes a clinic's rows and documents out, as they were at one moment, encrypted on the way into the file."""

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core.backup import inventory, packing
from core.backup.errors import BackupTrouble
from core.backup.making import ROLE, Say, content_of_place
from core.backup.sealing import sealed
from core.backup.stores import Folder
from core.database.roles import connection_apart
from core.history.verification import Verified, verify
from core.keys.memory import keys_to_write_with
from core.keys.models import unwrapped
from core.keys.places import Column, places_of_clinics
from core.keys.sealing import CLINIC, HEADER
from core.moving import archive
from core.moving.belongings import STAY, Belonging, belongings
from core.security.crypto import RING
from core.tenancy.context import clinic_scope
from core.uploads.store import place_of

logger = logging.getLogger(__name__)

PIECE = 4 * 1024 * 1024  # bytes of rows
EVERY = 200  # documents, between two words on how far it is
MIGRATIONS = "SELECT app || '.' || name FROM django_migrations ORDER BY 1"
KEYS = "SELECT id, kind, number, wrapped FROM core_clinickey WHERE clinic_id = %s"
HEADS = """
SELECT DISTINCT ON (table_name) table_name, number, encode(hash, 'hex') FROM core_seal WHERE clinic_id = %s
ORDER BY table_name, number DESC
"""
MOST_TOLD = 20  # findings that travel


@dataclass(frozen=True, slots=True)
class Exported:
    """`size` in bytes. `findings`: how many things were not as they had been sealed."""

    name: str
    slug: str
    taken_at: str
    size: int
    rows: dict[str, int]
    documents: int
    missing: list[str]
    findings: int


def export_clinic(clinic_id: UUID, into: Folder, name: str, *, ring: Sequence[str], say: Say) -> Exported:
    """The clinic in one file, whole or not there. People may work meanwhile; what they change afterwards isn't in it.

    Reads every row of the clinic twice. Raises BackupTrouble, psycopg.Error, DatabaseNotFit.
    """
    with clinic_scope(clinic_id, reason="export of the clinic"):
        keys_to_write_with(clinic_id)  # a clinic that never wrote a value searches by a key that only this installation can derive
    _refuse_values_of_the_installation(clinic_id)
    with connection_apart(ROLE) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(inventory.AS_TEXT)
        connection.execute(inventory.WHOLE)
        contents = _Contents(connection, clinic_id, say)
        size = into.write(name, sealed(contents.pieces(), ring=ring))
        connection.execute("ROLLBACK")
    said, head = contents.manifest, contents.head
    say(100, f"{name}: {size} bytes.")
    logger.info("The clinic %s was exported.", clinic_id)
    rows = {table: count for table, (count, _) in said.tables.items()}
    return Exported(
        name, head.slug, head.taken_at, size, rows, len(said.documents), said.missing, len(said.trail["findings"])
    )  # fmt: skip


def _refuse_values_of_the_installation(clinic_id: UUID) -> None:
    """What stands under the key ring itself could not be read elsewhere. One query a column."""
    for place in places_of_clinics():
        if not isinstance(place, Column) or place.model._meta.db_table in STAY:
            continue
        if any(label[:1] == bytes([RING]) for label in place.usage(clinic_id)):
            raise BackupTrouble(f"{place.name} holds values that are not under the clinic's key: run rotate_encryption_keys first.")


class _Contents:
    """What goes into the file, in order; the manifest is complete when the last piece comes."""

    def __init__(self, connection: psycopg.Connection[Any], clinic_id: UUID, say: Say) -> None:
        self.connection, self.clinic_id, self.say = connection, clinic_id, say
        self.tables = belongings(connection, clinic_id)
        self.head = self._head()
        self.manifest = archive.Manifest()

    def pieces(self) -> Iterator[bytes]:
        yield from packing.member(archive.HEAD, archive.packed(self.head))
        yield from packing.member(archive.KEYS, json.dumps(self._secrets()).encode())
        for number, one in enumerate(self.tables):
            self.say(75 * number // len(self.tables), f"{one.table} is written.")
            yield from self._rows(one)
        yield from self._documents()
        self.manifest.trail = self._trail()
        yield from packing.member(packing.MANIFEST, archive.packed(self.manifest))
        yield packing.end()

    def _head(self) -> archive.Head:
        found = self.connection.execute("SELECT slug, name, now() FROM core_clinic WHERE id = %s", [self.clinic_id]).fetchone()
        if found is None:
            raise BackupTrouble("There is no such clinic.")
        slug, name, now = found
        migrations = [one for (one,) in self.connection.execute(MIGRATIONS).fetchall()]
        columns = {one.table: list(one.columns) for one in self.tables}
        return archive.Head(str(self.clinic_id), slug, name, now.astimezone(UTC).isoformat(), migrations, columns)

    def _secrets(self) -> dict[str, str]:
        """The clinic's keys in clear: the file is encrypted, and nothing else opens the clinic's values elsewhere."""
        rows = self.connection.execute(KEYS, [self.clinic_id]).fetchall()
        opened = {str(key): unwrapped(wrapped, self.clinic_id, kind, number) for key, kind, number, wrapped in rows}
        return {key: base64.b64encode(secret).decode() for key, secret in opened.items()}

    def _rows(self, one: Belonging) -> Iterator[bytes]:
        count, total = self.connection.execute(sql.SQL(inventory.ROWS).format(one.rows(one.kept))).fetchone() or (0, "0")
        self.manifest.tables[one.table] = (count, total)
        number, held = 0, bytearray()
        with self.connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} TO STDOUT").format(one.rows(one.columns))) as copy:
            for row in copy:
                held += row
                if len(held) >= PIECE:
                    yield from packing.member(f"{archive.TABLES}{one.table}/{number:08}", bytes(held))
                    number, held = number + 1, bytearray()
        if held:
            yield from packing.member(f"{archive.TABLES}{one.table}/{number:08}", bytes(held))

    def _documents(self) -> Iterator[bytes]:
        keys, named = inventory.keys_in(self.connection), inventory.documents_in(self.connection, self.clinic_id)
        for number, (clinic_id, stored) in enumerate(named, 1):
            place = place_of(clinic_id, stored)
            content = content_of_place(place)
            if content is None:
                self.manifest.missing.append(place)
                continue
            if content[:1] != bytes([CLINIC]) or content[1:HEADER] not in keys:
                raise BackupTrouble("A document is not under a key of the clinic: let rotate_encryption_keys end, then try again.")
            self.manifest.documents[place] = packing.digest(content)
            yield from packing.member(packing.DOCUMENTS + place, content)
            if number % EVERY == 0:
                self.say(75 + 20 * number // len(named), f"{number} of {len(named)} documents written.")

    def _trail(self) -> dict[str, Any]:
        """What the seals say of the clinic's history: with it, the last blocks' hashes."""
        self.say(96, "The audit trail is verified.")
        seen = Verified()
        with connection_apart("hms_platform") as connection:
            findings = [str(one) for one in verify(connection, seen, clinic_id=self.clinic_id)]
        heads = {table: [number, hash_] for table, number, hash_ in self.connection.execute(HEADS, [self.clinic_id]).fetchall()}
        return {
            "blocks": seen.blocks,
            "rows": seen.rows,
            "unsealed": seen.unsealed,
            "heads": heads,
            "findings": findings[:MOST_TOLD],
        }
