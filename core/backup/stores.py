"""Where backups lie: a folder, or a bucket of S3-compatible storage. A backup is there whole, under its name, or not at all."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import obstore
from django.conf import settings
from obstore.exceptions import BaseError
from obstore.store import S3Store

from core.backup.errors import BackupTrouble
from core.backup.keeping import moment_of

UNFINISHED = ".unfinished-"
PIECE = 1024 * 1024
PART = 16 * 1024 * 1024  # bytes; S3 takes 10,000 parts, so 156 GB
TROUBLE = (BaseError, OSError)  # a key that isn't there is Python's own FileNotFoundError
AT_ONCE = 2  # parts under way, each in memory


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


class Bucket:
    """S3 and what speaks like it. An upload that was cut off is seen by nobody; the bucket's own rule clears its parts away."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        told = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if not parts.hostname or told.keys() - {"endpoint", "region"}:
            raise BackupTrouble("HMS_BACKUP_TARGET isn't like s3://bucket/prefix?endpoint=https://...&region=...")
        endpoint = told.get("endpoint")
        self.where = f"s3://{parts.hostname}{parts.path}"
        self._store = S3Store(
            parts.hostname,
            prefix=parts.path.strip("/") or None,
            endpoint=endpoint,
            region=told.get("region", "us-east-1"),
            access_key_id=settings.HMS_BACKUP_S3_KEY or None,
            secret_access_key=settings.HMS_BACKUP_S3_SECRET or None,
            virtual_hosted_style_request=endpoint is None,
            client_options={"allow_http": bool(endpoint and endpoint.startswith("http://")), "timeout": "5min"},
        )

    def names(self) -> list[str]:
        try:
            found = [one["path"] for page in obstore.list(self._store) for one in page]
        except TROUBLE as error:
            raise self._trouble("list backups", error) from error
        return sorted(name for name in found if moment_of(name))

    def write(self, name: str, pieces: Iterable[bytes]) -> int:
        counted = _Counted(pieces)
        try:
            obstore.put(self._store, name, counted, use_multipart=True, chunk_size=PART, max_concurrency=AT_ONCE)
        except TROUBLE as error:
            if counted.error is not None:
                raise counted.error from None
            raise self._trouble("write the backup", error) from error
        return counted.bytes

    def read(self, name: str) -> Iterator[bytes]:
        try:
            for piece in obstore.get(self._store, name).stream(min_chunk_size=PIECE):
                yield bytes(piece)
        except FileNotFoundError as error:
            raise BackupTrouble(f"There is no backup {name} in {self.where}.") from error
        except TROUBLE as error:
            raise self._trouble("read the backup", error) from error

    def delete(self, name: str) -> None:
        try:
            obstore.delete(self._store, name)
        except TROUBLE as error:
            raise self._trouble("remove a backup", error) from error

    def _trouble(self, what: str, error: Exception) -> BackupTrouble:
        """The storage's own words, without the library's notes for its programmers."""
        words = str(error).partition("\n\n")[0].strip()
        return BackupTrouble(f"Can't {what} in {self.where} ({type(error).__name__}): {words[:600]}")


class _Counted:
    """Counts the bytes that go through, and keeps what stopped them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.bytes = 0
        self.error: Exception | None = None

    def __iter__(self) -> "_Counted":
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise
        self.bytes += len(piece)
        return piece


def _force(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
