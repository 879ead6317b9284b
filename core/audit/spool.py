"""Where events wait for the database: files of this machine, one for each process, that outlive the process.

An event is in its file, by one write, before the answer it tells of leaves. The kernel keeps what was written when the process
is killed; against a power cut it is put on the disk once a second (`sync`). Whoever holds a file's lock may empty it, and the
lock of a dead process is nobody's.
"""

import fcntl
import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.tenancy.ids import new_id

logger = logging.getLogger(__name__)

HEAD = struct.Struct("<II")  # length and checksum of what follows
LARGEST = 1024 * 1024  # bytes of one event; a length beyond it is none
SUFFIX, DAMAGED = ".spool", ".damaged"


class SpoolUnwritable(OSError):
    """The event could not be written, so what it tells of must not happen."""


class Spool:
    """This process's way into the folder. Thread-safe, and safe after a fork."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._file = -1
        self._owner = 0

    def append(self, event: bytes) -> None:
        """Add one event. Raises SpoolUnwritable, and then nothing of it is in the file. About 10 us."""
        record = HEAD.pack(len(event), zlib.crc32(event)) + event
        with self._lock:
            try:
                file, size = self._own_file()
                if (written := os.write(file, record)) != len(record):
                    os.ftruncate(file, size)
                    raise SpoolUnwritable(f"only {written} of {len(record)} bytes were taken")
            except SpoolUnwritable:
                raise
            except OSError as error:
                raise SpoolUnwritable(error.errno, os.strerror(error.errno or 0)) from error

    def sync(self) -> None:
        """Put on the disk what was written so far. Nobody who appends waits for it."""
        with self._lock:
            if self._file < 0 or self._owner != os.getpid():
                return
            file = os.dup(self._file)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)

    def hand_over(self) -> None:
        """Let go of the file, if anything is in it: it can be emptied now, and the next event begins another."""
        with self._lock:
            if self._file >= 0 and self._owner == os.getpid() and os.fstat(self._file).st_size:
                os.close(self._file)
                self._file = -1

    def _own_file(self) -> tuple[int, int]:
        """The open file and its size. Another one is begun after a fork, and when somebody took ours away."""
        if self._file >= 0 and self._owner == os.getpid():
            found = os.fstat(self._file)
            if found.st_nlink:
                return self._file, found.st_size
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(self.folder / f"{new_id()}{SUFFIX}", flags, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._file, self._owner = file, os.getpid()
        return self._own_file()


@contextmanager
def taken_over(path: Path) -> Iterator[BinaryIO | None]:
    """A file that no living process writes to, to read, for this one alone; None for any other."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with os.fdopen(os.dup(file), "rb") as reading:
            yield reading if os.fstat(file).st_nlink else None
    except BlockingIOError:
        yield None
    finally:
        os.close(file)


def waiting(folder: Path) -> list[Path]:
    """The files with events, oldest first; those of living processes are among them."""
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


class Events:
    """The whole events of a file, one after the other: after an hour without a database there may be more than should be in memory.
    At the end `damaged` says whether something in it is. An event that is cut short at the end belongs to no answer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.damaged = False

    def __iter__(self) -> Iterator[bytes]:
        while len(head := self._file.read(HEAD.size)) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            if not 0 < length <= LARGEST:
                self.damaged = True  # where the next one begins can't be known
                return
            event = self._file.read(length)
            if len(event) < length:
                return
            if zlib.crc32(event) == checksum:
                yield event
            else:
                self.damaged = True


def set_aside(path: Path) -> None:
    """Keep a file in which something was not whole, for somebody to look at. What was whole is in the database."""
    path.rename(path.with_suffix(DAMAGED))
    logger.error("A file of the access log was damaged: %s is kept in the spool's folder.", path.with_suffix(DAMAGED).name)


def trouble_with(folder: Path) -> str:
    """Why nothing could be written there, or empty: tried with a file of its own."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trial = folder / f"{new_id()}.trial"
        file = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, b"\0" * HEAD.size)
        finally:
            os.close(file)
            trial.unlink()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return ""
