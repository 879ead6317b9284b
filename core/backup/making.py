"""Makes a backup: one snapshot of the database, the documents that its rows name, encrypted on the way into the store."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

import psycopg

from core.backup import inventory, packing
from core.backup.errors import BackupTrouble
from core.backup.keeping import name_at
from core.backup.programs import environment_for, program_for
from core.backup.sealing import sealed
from core.backup.stores import Store
from core.database.roles import connection_apart
from core.keys.sealing import CLINIC, HEADER
from core.uploads.store import folder, place_of

type Say = Callable[[int, str], None]  # percent, and a sentence without anything of anybody

ROLE = "hms_maintenance"  # passes row-level security
SNAPSHOT = "SELECT pg_export_snapshot(), now(), current_setting('server_version_num')::int / 10000"
DUMP_PIECE = 4 * 1024 * 1024  # bytes
EVERY = 200  # documents, between two words on how far it is
LOCK_LIMIT = "60s"  # to wait for a table that a migration holds


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that lies in the store. `size` in bytes; `missing`: documents whose file wasn't there."""

    name: str
    taken_at: datetime
    size: int
    tables: int
    rows: int
    documents: int
    missing: list[str]


def make_backup(store: Store, say: Say) -> Made:
    """One backup in the store, whole. People may work meanwhile; what they change after the snapshot isn't in it.

    Reads every row twice: for its digest, and by pg_dump. Raises BackupTrouble, psycopg.Error, DatabaseNotFit.
    """
    with _snapshot() as (connection, snapshot, manifest):
        taken_at = datetime.fromisoformat(manifest.taken_at)
        name = name_at(taken_at)
        contents = _Contents(connection, snapshot, manifest, say)
        size = store.write(name, sealed(contents.pieces()))
    say(100, f"{name}: {size} bytes.")
    return Made(name, taken_at, size, len(manifest.tables), manifest.rows, len(manifest.documents), manifest.missing)


@contextmanager
def _snapshot() -> Iterator[tuple[psycopg.Connection[Any], str, packing.Manifest]]:
    """A transaction that only reads, whose view of the database pg_dump shares."""
    with connection_apart(ROLE) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot, now, server = connection.execute(SNAPSHOT).fetchone() or ("", datetime.now(UTC), 0)
        yield connection, snapshot, packing.Manifest(now.astimezone(UTC).isoformat(), server, inventory.migrations_in(connection))
        connection.execute("ROLLBACK")


class _Contents:
    """What goes into one backup, in order; the manifest is complete when the last piece comes."""

    def __init__(self, connection: psycopg.Connection[Any], snapshot: str, manifest: packing.Manifest, say: Say) -> None:
        self.connection, self.snapshot, self.manifest, self.say = connection, snapshot, manifest, say

    def pieces(self) -> Iterator[bytes]:
        program = program_for("pg_dump", self.manifest.server)
        self._take_stock()
        yield from self._dump(program)
        yield from self._documents()
        yield from packing.member(packing.MANIFEST, self.manifest.packed())
        yield packing.end()

    def _take_stock(self) -> None:
        self.say(0, "Tables are counted.")
        for number, (table, state) in enumerate(inventory.tables_of(self.connection), 1):
            self.manifest.tables[table] = state
            if number % 10 == 0:
                self.say(min(24, number // 4), f"{number} tables counted.")
        self.manifest.sequences = inventory.sequences_of(self.connection)
        self.manifest.unvalidated = inventory.unvalidated_in(self.connection)

    def _dump(self, program: str) -> Iterator[bytes]:
        """The dump in pieces. Ends pg_dump when nobody wants the rest."""
        command = [program, "--format=custom", "--no-password", f"--snapshot={self.snapshot}", f"--lock-wait-timeout={LOCK_LIMIT}"]
        whole, number = sha256(), 0
        with TemporaryFile() as errors:
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment_for(ROLE)
            ) as process:
                assert process.stdout is not None  # noqa: S101  (asked for above)
                try:
                    while piece := process.stdout.read(DUMP_PIECE):
                        whole.update(piece)
                        yield from packing.member(f"{packing.DUMP}{number:08}", piece)
                        number += 1
                        self.say(25 + min(44, number), f"{number * DUMP_PIECE // 1024**2} MB of the database written.")
                    ended = process.wait()
                finally:
                    process.kill()  # nothing, when it has ended
            if ended:
                errors.seek(0)
                raise BackupTrouble(f"pg_dump failed: {errors.read().decode(errors='replace').strip()[-500:]}")
        self.manifest.dump = whole.hexdigest()

    def _documents(self) -> Iterator[bytes]:
        keys, named = inventory.keys_in(self.connection), inventory.documents_in(self.connection)
        for number, (clinic_id, stored) in enumerate(named, 1):
            place = place_of(clinic_id, stored)
            content = content_of_place(place)
            if content is None:
                self._note_absent(clinic_id, stored, place)
                continue
            if content[:1] == bytes([CLINIC]) and content[1:HEADER] not in keys:
                raise BackupTrouble("Keys are being renewed just now: make the backup when rotate_encryption_keys has ended.")
            self.manifest.documents[place] = packing.digest(content)
            yield from packing.member(packing.DOCUMENTS + place, content)
            if number % EVERY == 0:
                self.say(70 + 29 * number // len(named), f"{number} of {len(named)} documents written.")

    def _note_absent(self, clinic_id: UUID, stored: UUID, place: str) -> None:
        """Was it destroyed since the snapshot, or has it been missing?"""
        with connection_apart(ROLE) as now:
            still_named = inventory.is_named(now, clinic_id, stored)
        (self.manifest.missing if still_named else self.manifest.destroyed).append(place)


def content_of_place(place: str) -> bytes | None:
    """As it lies in the store, encrypted; None when there is no such file."""
    try:
        with folder().open(place) as file:
            content: bytes = file.read()
            return content
    except FileNotFoundError:
        return None
