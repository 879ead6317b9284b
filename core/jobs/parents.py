"""A process that works for another ends when that one is gone, however it went."""

import os
import signal
import threading
import time

LOOK_EVERY = 1.0  # seconds


def end_with_parent() -> None:
    """Ask this process to end (SIGTERM) once its parent has. Looks from a thread."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="hms-parent", daemon=True).start()
