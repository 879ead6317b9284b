"""Backups in a bucket of S3-compatible storage."""

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs, urlsplit

import obstore
from django.conf import settings
from obstore.exceptions import BaseError
from obstore.store import S3Store

from core.backup.errors import BackupTrouble
from core.backup.keeping import moment_of
from core.backup.stores import PIECE

PART = 16 * 1024 * 1024  # bytes; S3 takes 10,000 parts, so 156 GB
TROUBLE = (BaseError, OSError)  # a key that isn't there is Python's own FileNotFoundError
AT_ONCE = 2  # parts under way, each in memory


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
