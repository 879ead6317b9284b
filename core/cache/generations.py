"""The generations of tags on this machine: a small file that all processes of this installation map into memory.

A tag's generation is a random number in one of SLOTS places, found by the tag's digest; two tags that share a place are
invalidated together, nothing worse. Place 0 is the generation of everything.
"""

import fcntl
import hashlib
import logging
import mmap
import os
import secrets
from array import array
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from core.cache.seen import NOBODY
from core.tenancy.announcements import EVERYTHING

logger = logging.getLogger(__name__)

SLOTS = 1 << 18
HEARD = 1 << 14
HEADER = 2  # words: a random one that is a part of the machine's name, unused
WORDS = HEADER + SLOTS + HEARD


def place_of(tag: str) -> int:
    """Where the tag's generation stands."""
    return 0 if tag == EVERYTHING else 1 + _digest(tag) % (SLOTS - 1)


def places_of(tags: Iterable[str]) -> "array[int]":
    """Those of several: four bytes for each, for thousands of entries keep theirs."""
    return array("I", map(place_of, tags))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) or 1


def _boot() -> str:
    """Differs between machines that run, also between clones; empty where the system doesn't tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return ""


class Generations:
    """Reads and changes are single aligned words, so processes need no lock between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: os.stat_result | None = None

    @cached_property
    def _words(self) -> "memoryview[int]":
        """The mapped file, opened at first use; memory of this process alone if it can't be opened, or has no room on its disk."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                return self._mapped(file)
            finally:
                os.close(file)
        except OSError as error:
            logger.error("The cache's file can't be used, so this process keeps no first level: %s", error)
            self._file = None
            return memoryview(mmap.mmap(-1, WORDS * 8)).cast("Q")

    def _mapped(self, file: int) -> "memoryview[int]":
        """All of it has its place on the disk: to write where there is none would end the process (SIGBUS)."""
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            os.posix_fallocate(file, 0, WORDS * 8)
            words = memoryview(mmap.mmap(file, WORDS * 8)).cast("Q")
            words[0] = words[0] or secrets.randbits(63) | 1
            self._file = os.fstat(file)
            return words
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # by closing alone it would stay locked: the map keeps a duplicate open

    @cached_property
    def _slots(self) -> "memoryview[int]":
        return self._words[HEADER : HEADER + SLOTS]

    @cached_property
    def _heard(self) -> "memoryview[int]":
        return self._words[HEADER + SLOTS :]

    @cached_property
    def shared(self) -> bool:
        """Do the other processes of this machine see what we change?"""
        return bool(self._words) and self._file is not None

    @cached_property
    def machine(self) -> str:
        """Names this machine's file: a copy of it, on a machine made from this one's image or in another container, has another
        name. NOBODY where there is no file."""
        if not self.shared or self._file is None:
            return NOBODY
        return f"{_digest(f'{self._words[0]} {_boot()} {self._file.st_dev} {self._file.st_ino}'):016x}"

    def is_the_file(self) -> bool:
        """Is the path still the file we map? Somebody may have deleted it."""
        try:
            return not self.shared or self._file is None or self.path.stat().st_ino == self._file.st_ino
        except OSError:
            return False

    def reopen(self) -> None:
        for name in ("_words", "_slots", "_heard", "shared", "machine"):
            vars(self).pop(name, None)

    def read(self, places: Iterable[int]) -> "array[int]":
        slots = self._slots
        return array("Q", [slots[place] for place in places])

    def bump(self, tags: Iterable[str]) -> None:
        for tag in tags:
            self._slots[place_of(tag)] = secrets.randbits(64)

    def note_heard(self, mark: str) -> None:
        """After the bump: the others need not repeat it."""
        digest = _digest(mark)
        self._heard[digest % HEARD] = digest

    def note_told(self, mark: str) -> None:
        """Redis knows: the others need not tell it."""
        self.note_heard(f"redis {mark}")

    def was_told(self, mark: str) -> bool:
        return self.was_heard(f"redis {mark}")

    def was_heard(self, mark: str) -> bool:
        """True only if the mark was noted; may have been forgotten, then a tag is bumped once more, which does no harm."""
        digest = _digest(mark)
        return self._heard[digest % HEARD] == digest
