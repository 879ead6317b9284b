"""Where backups lie: a folder, or a bucket (core.backup.bucket). A backup is there whole, under its name, or not at all."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from django.conf import settings

from core.backup.errors import BackupTrouble
from core.backup.keeping import moment_of

UNFINISHED = ".unfinished-"
PIECE = 1024 * 1024


class Store(Protocol):
    def names(self) -> list[str]:
        """The backups that are there, the oldest first."""

    def write(self, name: str, pieces: Iterable[bytes]) -> int:
        """Keep what the pieces hold under that name once all have come; the number of bytes."""

    def read(self, name: str) -> Iterator[bytes]:
        """Raises BackupTrouble when there is none of that name."""

    def delete(self, name: str) -> None: ...


def store_at(target: str) -> Store:
    """`/path/of/a/folder` or `s3://bucket/prefix?endpoint=https://...&region=...`. Raises BackupTrouble."""
    if not target:
        raise BackupTrouble("Say where backups lie: HMS_BACKUP_TARGET (see .env.example).")
    if target.startswith("s3://"):
        from core.backup.bucket import Bucket  # only where there is one: what it needs takes 5 MB of every process

        return Bucket(target)
    if "://" in target:
        raise BackupTrouble("HMS_BACKUP_TARGET is neither a folder nor s3://bucket/prefix.")
    return Folder(settings.BASE_DIR / target)


class Folder:
    """Files that only the owner of the process may read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        if not self.path.is_dir():
            return []
        return sorted(one.name for one in self.path.iterdir() if moment_of(one.name))

    def write(self, name: str, pieces: Iterable[bytes]) -> int:
        """Written beside its place, forced to the disk, then moved. What a killed process has left is removed first."""
        written = 0
        unfinished = self.path / f"{UNFINISHED}{name}"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                for piece in pieces:
                    written += file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                unfinished.replace(self.path / name)
            _force(self.path)
        except OSError as error:
            raise BackupTrouble(f"The backup can't be written to {self.path}: {error.strerror}.") from error
        finally:
            unfinished.unlink(missing_ok=True)
        return written

    def read(self, name: str) -> Iterator[bytes]:
        try:
            with (self.path / name).open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece
        except OSError as error:
            raise BackupTrouble(f"{self.path / name} can't be read: {error.strerror}.") from error

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Whoever still writes one holds its lock."""
        for left_over in self.path.glob(f"{UNFINISHED}*"):
            with suppress(BlockingIOError, FileNotFoundError), left_over.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left_over.unlink()


def _force(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
