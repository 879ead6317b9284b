"""Whose turn it is among the processes of one machine: a lock on a file, which the kernel lets go when its holder ends."""

import fcntl
import os
import time
from pathlib import Path


class Turn:
    """For one of the processes that know the file. With `rest`, the next may begin that many seconds after the last one did."""

    def __init__(self, path: Path, *, rest: float = 0.0) -> None:
        self._path, self._rest = path, rest
        self._file = -1

    def take(self) -> bool:
        """True when it is ours, also when it was before; it stays so until we give it back or end."""
        if self._file >= 0:
            return True
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        began = os.pread(file, 40, 0)
        if self._rest and began and abs(time.time() - float(began)) < self._rest:
            os.close(file)
            return False
        os.pwrite(file, b"%-40.3f" % time.time(), 0)
        self._file = file
        return True

    def give_back(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
