"""What processes that have ended had counted, added up in one file of each kind: a server that replaces its processes would else
keep files of each of them, and every reading would read them all.

The process that starts the others adds up, and whoever reads the figures reads them as they were before or after that: both hold
the folder's lock. Nothing here needs Django.
"""

import fcntl
import os
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

KINDS = ("counter", "histogram")  # gauges are of processes that live
LOCK = "lock"
HEAD = struct.Struct("i4x")  # how many bytes are used; then the entries, as prometheus_client's MmapedDict has them


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """While this is held nothing is moved from one file to another. Waits some milliseconds at most."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def add_up(folder: Path) -> None:
    """The files of processes that are gone go into one of each kind. While somebody reads nothing is done: the next process that
    ends brings it about, for the server waits for nobody. Raises OSError; nothing is lost then, and nothing counted twice."""
    try:
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for kind in KINDS:
                for own in folder.glob(f"{kind}_*.db"):
                    process = own.stem.removeprefix(f"{kind}_")
                    if process.isdigit() and not _lives(int(process)):
                        _take(kind, own)
    except BlockingIOError:
        return


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _take(kind: str, own: Path) -> None:
    together, fresh = own.with_name(f"{kind}_ended.db"), own.with_name(f"{kind}_ended.new")
    values: dict[str, float] = defaultdict(float)
    for file in (together, own):
        if file.exists():
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
                values[key] += value
    fresh.write_bytes(_packed(values))
    own.unlink()
    fresh.replace(together)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Raises BlockingIOError with LOCK_NB."""
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        os.close(file)


def _packed(values: Mapping[str, float]) -> bytes:
    """Written as a whole: a map of a file that finds no room on the disk would end the process."""
    entries = b"".join(_entry(key.encode(), value) for key, value in values.items())
    return HEAD.pack(HEAD.size + len(entries)) + entries


def _entry(key: bytes, value: float) -> bytes:
    padded = key + b" " * (8 - (len(key) + 4) % 8)
    return struct.pack(f"i{len(padded)}sdd", len(key), padded, value, 0.0)
