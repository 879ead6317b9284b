"""Static files packed by brotli and gzip at their best, once for each content: collecting again costs what has changed."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import brotli
from whitenoise.compress import Compressor

LARGE, QUICKER = 256 * 1024, 9  # bytes from which brotli takes this quality: a tenth more bytes for a twentieth of the time
KEPT_DAYS = 30  # that the packed form of a content is kept after it was last wanted


class KeepingCompressor(Compressor):  # type: ignore[misc]
    """WhiteNoise's own, which looks in a folder of packed contents first. Safe for threads and for two collections at once."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder
        self.packed = 0  # contents that had to be packed, in either way
        folder.mkdir(parents=True, exist_ok=True)

    def compress(self, path: str) -> list[str]:
        """Write `path`.br and `path`.gz where they are worth it, and return their names. Those of an older content go."""
        written: list[str] = super().compress(path)
        for suffix in (".br", ".gz"):
            if path + suffix not in written:
                Path(path + suffix).unlink(missing_ok=True)
        return written

    def write_data(self, path: str, data: bytes, suffix: str, stat_result: os.stat_result) -> str:
        """In one step, so that a server that has the folder open never sends half a file."""
        name = path + suffix
        _write(Path(name), data)
        os.utime(name, (stat_result.st_atime, stat_result.st_mtime))
        return name

    def compress_brotli(self, data: bytes) -> bytes:
        quality = QUICKER if len(data) > LARGE else 11
        return self._kept(data, ".br", partial(brotli.compress, quality=quality))

    def compress_gzip(self, data: bytes) -> bytes:
        return self._kept(data, ".gz", super().compress_gzip)

    def forget(self) -> None:
        """Throw away what no collection has wanted for a month."""
        oldest = time.time() - KEPT_DAYS * 86_400
        for entry in self.folder.iterdir():
            if entry.stat().st_mtime < oldest:
                entry.unlink(missing_ok=True)

    def _kept(self, data: bytes, suffix: str, pack: Callable[[bytes], bytes]) -> bytes:
        entry = self.folder / f"{hashlib.sha256(data).hexdigest()}{suffix}"
        try:
            packed = entry.read_bytes()
            os.utime(entry)
        except FileNotFoundError:
            packed = pack(data)
            self.packed += 1
            _write(entry, packed)
        return packed


def _write(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    unfinished.write_bytes(data)
    unfinished.replace(path)
