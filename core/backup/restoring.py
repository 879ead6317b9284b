"""Brings a backup back: into a database under a name of its own, which takes its place once everything was found right."""

import fcntl
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psycopg
from django.core.files.base import ContentFile

from core.backup import packing, scratch
from core.backup.errors import BackupTrouble, Damaged
from core.backup.making import Say
from core.backup.programs import environment_for, program_for
from core.backup.sealing import opened
from core.backup.stores import Store
from core.backup.verification import findings_in
from core.uploads.storage import PrivateFolder

STAGING = ".restoring-"
PLACE = re.compile(r"[0-9a-f-]{36}/[0-9a-f]{2}/[0-9a-f-]{36}")
SERVER = "SELECT current_setting('server_version_num')::int / 10000"
type Keep = Callable[[str, bytes], None]  # the place of a document and its content, encrypted


@dataclass(slots=True)
class Restored:
    """`missing`: documents without a file when the backup was made. `findings`: what isn't as it was backed up, a sentence each.
    `seconds`: from the first byte to the last check.

    `set_aside`: under which name the database that was there before is kept; "" when there was nothing in it.
    """

    name: str
    taken_at: datetime
    database: str
    tables: int
    rows: int
    documents: int
    missing: list[str]
    verified: bool
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)
    set_aside: str = ""


def newest_in(store: Store) -> str:
    """Raises BackupTrouble when there is none."""
    names = store.names()
    if not names:
        raise BackupTrouble("There is no backup yet.")
    return names[-1]


def drill(store: Store, name: str, say: Say) -> Restored:
    """Restore into a database that is gone afterwards, and verify. Documents are read and compared, not written."""
    started = time.monotonic()
    with scratch.scratch_database("drill") as database:
        manifest = _load(store, name, database, say, _keep_nothing)
        restored = _report(name, database, manifest, verified=True)
        say(80, "Everything is restored, and is verified now.")
        restored.findings += findings_in(database, manifest)
    restored.seconds = time.monotonic() - started
    return restored


def restore(
    store: Store, name: str, *, database: str, documents: Path | None, say: Say, replace: bool = False, verify: bool = False
) -> Restored:
    """Restore into `database` and `documents` (None: they are only compared). With `verify` it takes its place if all is right.

    Raises BackupTrouble, before anything is touched, for a database that is used, unless `replace`: then it is kept aside.
    """
    started = time.monotonic()
    with scratch.connected(scratch.OWNER, scratch.HOME) as home:
        state = scratch.state_of(home, database)
        if state == "used" and not replace:
            raise BackupTrouble(f"The database {database} is in use: it holds clinics or accounts. Say --replace to set it aside.")
        with scratch.scratch_database("restoring") as loaded, staging_beside(documents) as staged:
            manifest = _load(store, name, loaded, say, staged.keep if staged else _keep_nothing)
            restored = _report(name, database, manifest, verified=verify)
            if verify:
                say(80, "Everything is restored, and is verified now.")
                restored.findings += findings_in(loaded, manifest)
            if not restored.findings:
                with scratch.connected(scratch.OWNER, loaded) as connection:
                    connection.execute("ANALYZE")
                if staged:
                    staged.put_in_place()
                restored.set_aside = _swap(home, loaded, database, state)
    restored.seconds = time.monotonic() - started
    return restored


def _swap(home: psycopg.Connection[Any], loaded: str, database: str, state: str) -> str:
    """Give the database its name; what had it is kept when it was used. Its new name, or ""."""
    aside = ""
    if state == "used":
        aside = f"{database[:40]}_before_{datetime.now(UTC):{scratch.STAMP}}"
        scratch.rename(home, database, aside)
    elif state != "absent":
        scratch.drop(home, database)
    try:
        scratch.rename(home, loaded, database)
    except BaseException:
        if aside:
            scratch.rename(home, aside, database)
        raise
    return aside


def _report(name: str, database: str, manifest: packing.Manifest, *, verified: bool) -> Restored:
    taken_at = datetime.fromisoformat(manifest.taken_at)
    documents = len(manifest.documents)
    return Restored(name, taken_at, database, len(manifest.tables), manifest.rows, documents, manifest.missing, verified)


# --- Reading the backup ------------------------------------------------------------------------------------------------------
def _load(store: Store, name: str, database: str, say: Say, keep: Keep) -> packing.Manifest:
    """Everything in one pass. Raises BackupTrouble for whatever isn't as the manifest says."""
    say(0, f"{name} is read.")
    loader = _Loader(database, say)
    try:
        for member, content in packing.members(opened(store.read(name))):
            loader.take(member, content, keep)
        return loader.checked()
    finally:
        loader.end()


class _Loader:
    """Takes the members of a backup as they come."""

    def __init__(self, database: str, say: Say) -> None:
        self.say = say
        self.database = database
        self.dump = sha256()
        self.documents: dict[str, str] = {}
        self.manifest: packing.Manifest | None = None
        self._errors = TemporaryFile()  # noqa: SIM115  (closed in `end`)
        self._process: subprocess.Popen[bytes] | None = None
        self._pieces = 0

    def take(self, member: str, content: bytes, keep: Keep) -> None:
        if member.startswith(packing.DUMP):
            self._feed(content)
        elif member.startswith(packing.DOCUMENTS):
            place = member.removeprefix(packing.DOCUMENTS)
            if not PLACE.fullmatch(place):
                raise Damaged("The backup holds a document in a place where none can be.")
            self.documents[place] = packing.digest(content)
            keep(place, content)
        elif member == packing.MANIFEST:
            self.manifest = packing.read_manifest(content)

    def checked(self) -> packing.Manifest:
        """The manifest, when what came is what it says."""
        self._finish()
        if self.manifest is None:
            raise Damaged("The backup ends without its manifest.")
        if self.dump.hexdigest() != self.manifest.dump:
            raise Damaged("The dump in the backup is not the one that its manifest names.")
        if self.documents != self.manifest.documents:
            raise Damaged("The documents in the backup are not those that its manifest names.")
        return self.manifest

    def end(self) -> None:
        """Nothing of ours goes on. In one transaction: a database whose load was broken off holds nothing."""
        if self._process is not None:
            self._process.kill()
            with suppress(BrokenPipeError):
                self._process.__exit__(None, None, None)
        self._errors.close()

    def _feed(self, content: bytes) -> None:
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101  (asked for)
        self.dump.update(content)
        try:
            process.stdin.write(content)
        except BrokenPipeError:
            self._finish()
            raise
        self._pieces += 1
        self.say(min(70, self._pieces), f"{self._pieces * 4} MB of the database loaded.")

    def _start(self) -> "subprocess.Popen[bytes]":
        with scratch.connected(scratch.OWNER, self.database) as connection:
            (server,) = connection.execute(SERVER).fetchone() or (0,)
        program = program_for("pg_restore", server)
        command = [program, "--exit-on-error", "--single-transaction", "--no-password", f"--dbname={self.database}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
            env=environment_for(scratch.OWNER, self.database),
        )  # fmt: skip
        return self._process

    def _finish(self) -> None:
        """Wait for pg_restore: it has all of the dump. Raises BackupTrouble when it failed."""
        process = self._process
        if process is None:
            raise Damaged("The backup holds no dump of a database.")
        assert process.stdin is not None  # noqa: S101  (asked for)
        with suppress(BrokenPipeError):
            process.stdin.close()
        if process.wait():
            self._errors.seek(0)
            raise BackupTrouble(f"pg_restore failed: {_plain(self._errors.read())}")


def _plain(said: bytes) -> str:
    """What pg_restore says is wrong, without the lines that name rows."""
    lines = said.decode(errors="replace").splitlines()
    return " ".join(line.strip() for line in lines if "error:" in line)[:500] or "it did not say why."


# --- Documents ---------------------------------------------------------------------------------------------------------------
def _keep_nothing(place: str, content: bytes) -> None:
    """They were compared; that is all a drill wants of them."""


class Staged:
    """Documents in a folder beside their places, on the same disk."""

    def __init__(self, folder: Path, staging: Path) -> None:
        self.folder, self._staging = folder, staging
        self._store = PrivateFolder(staging)

    def keep(self, place: str, content: bytes) -> None:
        self._store.save(place, ContentFile(content))

    def put_in_place(self) -> None:
        """One after another; a document that is there already is replaced by the one that fits the database."""
        for path in self._staging.rglob("*"):
            if path.is_file() and PLACE.fullmatch(place := path.relative_to(self._staging).as_posix()):
                target = self.folder / place
                for parent in reversed(target.relative_to(self.folder).parents[:-1]):
                    (self.folder / parent).mkdir(mode=0o700, exist_ok=True)
                path.replace(target)


@contextmanager
def staging_beside(folder: Path | None) -> Iterator[Staged | None]:
    """Gone after the block, also what a killed restore has left: whoever is at work holds its lock."""
    if folder is None:
        yield None
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left_over in folder.glob(f"{STAGING}*"):
        with suppress(BlockingIOError, FileNotFoundError), (left_over / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left_over)
    staging = folder / f"{STAGING}{datetime.now(UTC):{scratch.STAMP}}"
    staging.mkdir(mode=0o700)
    try:
        with (staging / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Staged(folder, staging)
    finally:
        shutil.rmtree(staging)
