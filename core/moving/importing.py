"""Brings a clinic into an installation: all of it in one transaction, after everything was read and found right."""

import base64
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core.backup import inventory, packing, scratch
from core.backup.errors import BackupTrouble, Damaged
from core.backup.making import Say
from core.backup.restoring import PLACE, Staged, staging_beside
from core.backup.sealing import opened
from core.keys.models import wrapped
from core.moving import archive
from core.moving.belongings import CLINIC, ORDERED, REWRITTEN, USER, Belonging, belongings
from core.moving.exporting import MIGRATIONS

LOCK_LIMIT = "60s"  # to wait for whoever writes at the moment
NUMBERING = "SELECT pg_advisory_xact_lock(hashtext('core_domainevent'), 0)"  # core.events.numbering
CONTEXT = """
SELECT set_config('hms.clinic_id', %(clinic)s, true), set_config('hms.reason', 'Imported from another installation', true),
    set_config('lock_timeout', %(wait)s, true), set_config('statement_timeout', '0', true)
"""
THERE = "SELECT slug FROM core_clinic WHERE id = %s OR slug = %s"
CLASHING = """
SELECT u.email FROM core_user u JOIN {} c ON (u.id = c.id) <> (lower(u.email) = lower(c.email)) ORDER BY 1
"""
KNOWN = "SELECT count(*) FROM core_user u JOIN {} c ON u.id = c.id"
SUSPEND = "UPDATE core_clinic SET state = 'suspended', updated_at = clock_timestamp() WHERE id = %s"
MOST_TOLD = 5


@dataclass(slots=True)
class Imported:
    """What is in the file, and with `dry_run` would have come. `known`: people who were here before and stay as they are.
    `trail`: what the seals said where it comes from. `seconds`: from the first byte on."""

    clinic: str
    slug: str
    taken_at: str
    rows: dict[str, int]
    documents: int
    missing: list[str]
    known: int
    trail: dict[str, Any]
    dry_run: bool
    seconds: float = 0.0


def import_clinic(
    pieces: Iterable[bytes], *, ring: Sequence[str], documents: Path, say: Say, dry_run: bool = False, verify: bool = False
) -> Imported:
    """The clinic of the file, suspended until somebody activates it; nothing at all when anything is not as it should be.

    With `verify` what was written is read again and compared before it is committed. Raises BackupTrouble, psycopg.Error.
    """
    began = time.monotonic()
    with scratch.connected(scratch.OWNER, scratch.own_name()) as connection, staging_beside(documents) as staged:
        assert staged is not None  # noqa: S101  (there is a folder)
        with connection.transaction() as transaction:
            arrival = _Arrival(connection, staged, say)
            arrival.read(packing.members(opened(pieces, ring=ring)))
            arrival.check()
            imported = arrival.report(dry_run=dry_run)
            if dry_run:
                raise psycopg.Rollback(transaction)
            arrival.write()
            if verify:
                arrival.verify()
            arrival.suspend()
            staged.put_in_place()
    imported.seconds = time.monotonic() - began
    return imported


class _Arrival:
    """One clinic on its way in: its rows wait in temporary tables until all is there."""

    def __init__(self, connection: psycopg.Connection[Any], staged: Staged, say: Say) -> None:
        self.connection, self.staged, self.say = connection, staged, say
        self.head: archive.Head | None = None
        self.manifest: archive.Manifest | None = None
        self.secrets: dict[str, str] = {}
        self.documents: dict[str, str] = {}
        self.tables: list[Belonging] = []
        self._pieces = 0

    # --- Reading -------------------------------------------------------------------------------------------------------------
    def read(self, members: Iterator[tuple[str, bytes]]) -> None:
        """Raises BackupTrouble for what isn't a clinic's file, or one of another version."""
        for name, content in members:
            if self.head is None:
                self._begin(name, content)
            elif name.startswith(archive.TABLES):
                self._load(name, content)
            elif name.startswith(packing.DOCUMENTS):
                self._keep(name.removeprefix(packing.DOCUMENTS), content)
            elif name == archive.KEYS:
                self.secrets = json.loads(content)
            elif name == packing.MANIFEST:
                self.manifest = archive.read_manifest(content)
            else:
                raise Damaged("The file holds something that doesn't belong there.")

    def _begin(self, name: str, content: bytes) -> None:
        if name.startswith(packing.DUMP):
            raise BackupTrouble("This is the backup of a whole installation: manage.py restore reads it.")
        if name != archive.HEAD:
            raise Damaged("The file doesn't begin as a clinic's does.")
        head = self.head = archive.read_head(content)
        self.connection.execute(inventory.AS_TEXT)
        self.connection.execute(CONTEXT, {"clinic": head.clinic, "wait": LOCK_LIMIT})
        if [one for (one,) in self.connection.execute(MIGRATIONS).fetchall()] != head.migrations:
            raise BackupTrouble("The file comes from another version of HMS: bring both installations to the same one first.")
        if found := self.connection.execute(THERE, [head.clinic, head.slug]).fetchone():
            raise BackupTrouble(f"The clinic {found[0]} is here already.")
        self.tables = belongings(self.connection, head.clinic_id)
        if {one.table: list(one.columns) for one in self.tables} != head.columns:
            raise BackupTrouble("The file's tables are not those of this installation.")
        for one in self.tables:
            self.connection.execute(sql.SQL("CREATE TEMP TABLE {} (LIKE public.{}) ON COMMIT DROP").format(_waiting(one), one.name))

    def _load(self, name: str, content: bytes) -> None:
        table = name.removeprefix(archive.TABLES).partition("/")[0]
        one = next((one for one in self.tables if one.table == table), None)
        if one is None:
            raise Damaged("The file holds a table that it doesn't name.")
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(_waiting(one), _columns(one.columns))
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(content)
        self._pieces += 1
        self.say(min(60, self._pieces), f"{table} is read.")

    def _keep(self, place: str, content: bytes) -> None:
        if not PLACE.fullmatch(place) or not place.startswith(f"{self._head.clinic}/"):
            raise Damaged("The file holds a document in a place where none can be.")
        self.documents[place] = packing.digest(content)
        self.staged.keep(place, content)

    # --- Checking ------------------------------------------------------------------------------------------------------------
    def check(self) -> None:
        """Is all there that the manifest names, and is nobody here whom it would clash with? Raises BackupTrouble."""
        manifest = self._manifest
        for one in self.tables:
            found = self._state(sql.SQL("(SELECT {} FROM {})").format(_columns(one.kept), _waiting(one)))
            if found != manifest.tables.get(one.table):
                raise Damaged(f"The rows of {one.table} are not those that the file names.")
        if self.documents != manifest.documents:
            raise Damaged("The documents in the file are not those that it names.")
        people = next(one for one in self.tables if one.table == USER)
        clashing = [email for (email,) in self.connection.execute(sql.SQL(CLASHING).format(_waiting(people))).fetchall()]
        if clashing:
            more = f" and {len(clashing) - MOST_TOLD} more" if len(clashing) > MOST_TOLD else ""
            raise BackupTrouble(f"Here these are other people's accounts: {', '.join(clashing[:MOST_TOLD])}{more}.")
        keys = {str(key) for (key,) in self.connection.execute("SELECT id FROM pg_temp.moving_core_clinickey").fetchall()}
        if keys != self.secrets.keys():
            raise Damaged("The clinic's keys are not those that the file names.")

    def report(self, *, dry_run: bool) -> Imported:
        head, manifest = self._head, self._manifest
        people = next(one for one in self.tables if one.table == USER)
        (known,) = self.connection.execute(sql.SQL(KNOWN).format(_waiting(people))).fetchone() or (0,)
        rows = {table: count for table, (count, _) in manifest.tables.items()}
        return Imported(
            head.clinic, head.slug, head.taken_at, rows, len(manifest.documents), manifest.missing, known, manifest.trail, dry_run
        )  # fmt: skip

    # --- Writing -------------------------------------------------------------------------------------------------------------
    def write(self) -> None:
        """Nobody else writes to the clinics' tables from here to the end: their triggers rest."""
        self._wrap_keys()
        self.connection.execute("SET CONSTRAINTS ALL DEFERRED")
        with self._triggers_resting():
            self.connection.execute(NUMBERING)
            for number, one in enumerate(self.tables):
                self.say(60 + 30 * number // len(self.tables), f"{one.table} is written.")
                self.connection.execute(self._insert(one))

    def _insert(self, one: Belonging) -> sql.Composed:
        changed = REWRITTEN.get(one.table, {})
        values = [
            sql.SQL(changed[name]) if name in changed else sql.SQL("r.{}").format(sql.Identifier(name)) for name in one.columns
        ]
        order = sql.SQL(" ORDER BY {}").format(sql.Identifier(ORDERED[one.table])) if one.table in ORDERED else sql.SQL("")
        known = sql.SQL(" WHERE NOT EXISTS (SELECT FROM core_user u WHERE u.id = r.id)" if one.table == USER else "")
        return sql.SQL("INSERT INTO public.{} ({}) SELECT {} FROM (SELECT * FROM {}{}) r{}").format(
            one.name, _columns(one.columns), sql.SQL(", ").join(values), _waiting(one), order, known
        )

    def _wrap_keys(self) -> None:
        """The clinic's keys under this installation's ring."""
        head = self._head
        rows = self.connection.execute("SELECT id, kind, number FROM pg_temp.moving_core_clinickey").fetchall()
        new = [(wrapped(base64.b64decode(self.secrets[str(key)]), head.clinic_id, kind, number), key) for key, kind, number in rows]
        with self.connection.cursor() as cursor:
            cursor.executemany("UPDATE pg_temp.moving_core_clinickey SET wrapped = %s WHERE id = %s", new)

    @contextmanager
    def _triggers_resting(self) -> Iterator[None]:
        """Rows come with their history and their events: neither is written anew. Accounts are announced and kept as new."""
        resting = [one for one in self.tables if one.table != USER]
        for one in resting:
            self.connection.execute(sql.SQL("ALTER TABLE public.{} DISABLE TRIGGER USER").format(one.name))
        yield
        self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for one in resting:
            self.connection.execute(sql.SQL("ALTER TABLE public.{} ENABLE TRIGGER USER").format(one.name))

    def verify(self) -> None:
        """Read what was written: rows, and the sum of their digests. Raises BackupTrouble."""
        self.say(91, "Everything is read again.")
        for one in self.tables:
            known = (one.table == USER and one.table) or ""
            if not known and self._state(one.rows(one.kept)) != self._manifest.tables[one.table]:
                raise BackupTrouble(f"The rows of {one.table} are not as they were written: nothing was imported.")

    def suspend(self) -> None:
        """Nobody works there and nothing is sent from there until it is activated. Its history tells of the import."""
        self.connection.execute(SUSPEND, [self._head.clinic])

    def _state(self, rows: sql.Composable) -> tuple[int, str]:
        count, total = self.connection.execute(sql.SQL(inventory.ROWS).format(rows)).fetchone() or (0, "0")
        return count, total

    @property
    def _head(self) -> archive.Head:
        if self.head is None:
            raise Damaged("The file is empty.")
        return self.head

    @property
    def _manifest(self) -> archive.Manifest:
        if self.manifest is None:
            raise Damaged("The file ends without saying what there must be.")
        return self.manifest


def _waiting(one: Belonging) -> sql.Composed:
    return sql.SQL("pg_temp.{}").format(sql.Identifier(f"moving_{one.table}"))


def _columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def clinic_of(connection: psycopg.Connection[Any], named: str) -> UUID:
    """The clinic of that slug or id. Raises BackupTrouble."""
    found = connection.execute(f"SELECT id FROM {CLINIC} WHERE slug = %(one)s OR id::text = %(one)s", {"one": named}).fetchone()  # noqa: S608
    if found is None:
        raise BackupTrouble(f"There is no clinic {named}.")
    return UUID(str(found[0]))
