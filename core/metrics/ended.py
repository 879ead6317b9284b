"""What processes that have ended had counted, added up in one file of each kind: a server that replaces its processes would else
keep files of each of them, and every reading would read them all.

The process that starts the others adds up, and whoever reads the figures reads them as they were before or after that: both hold
the folder's lock. It may end at any moment: the sum says which file it took in last, so that one that is still there is not
counted again. Nothing here needs Django.
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
# How many bytes are used; then the entries, as prometheus_client's MmapedDict has them; then, in a sum, the mark of the last file.
HEAD = struct.Struct("i4x")


@contextmanager
def reading(folder: Path) -> Iterator[list[Path]]:
    """The files to read. While this is held nothing is moved from one to another. Waits some milliseconds at most."""
    with _locked(folder, fcntl.LOCK_SH):
        held = [_held(folder, kind) for kind in KINDS]
        yield [file for file in folder.glob("*.db") if file not in held]


def add_up(folder: Path) -> None:
    """The files of processes that are gone go into one of each kind. While somebody reads nothing is done: the next process that
    ends brings it about, for the server waits for nobody. Raises OSError; nothing is lost then, and nothing counted twice."""
    try:
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for kind in KINDS:
                if held := _held(folder, kind):
                    held.unlink()
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


def _held(folder: Path, kind: str) -> Path | None:
    """The file that is in the sum and still there: whoever added it up came no further. Else None."""
    try:
        with _sum(folder, kind).open("rb") as file:
            file.seek(HEAD.unpack(file.read(HEAD.size))[0])
            mark = file.read()
        own = folder / mark.decode().partition(" ")[0]
        return own if mark and _mark(own) == mark else None
    except FileNotFoundError:
        return None


def _mark(file: Path) -> bytes:
    """Which file this is: another process may be given the same number, and so the same name."""
    about = file.stat()
    return f"{file.name} {about.st_ino} {about.st_mtime_ns}".encode()


def _sum(folder: Path, kind: str) -> Path:
    return folder / f"{kind}_ended.db"


def _take(kind: str, own: Path) -> None:
    together, fresh = _sum(own.parent, kind), own.with_name(f"{kind}_ended.new")
    values: dict[str, float] = defaultdict(float)
    for file in (together, own):
        if file.exists():
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
                values[key] += value
    fresh.write_bytes(_packed(values) + _mark(own))
    fresh.replace(together)
    own.unlink()


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
