"""One process of an installation leaves at a time, and the next not before its successor has had time to begin."""

import fcntl
import os
import time
from pathlib import Path

from django.conf import settings

REST = 30.0  # seconds between two that leave


class Turn:
    """The turn is held by an open file: it falls free when the process has ended, however it did."""

    def __init__(self) -> None:
        self._path = Path(settings.VAR_DIR) / "run" / "leaving"
        self._file = -1

    def take(self) -> bool:
        """False while another one leaves, or has done so a moment ago."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        last = os.pread(file, 40, 0)
        if last and abs(time.time() - float(last)) < REST:
            os.close(file)
            return False
        os.pwrite(file, b"%-40.3f" % time.time(), 0)
        self._file = file
        return True

    def give_back(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
