"""A process that works for another ends when that one is gone, however it went."""

import os
import signal
import threading
import time

LOOK_EVERY = 1.0  # seconds
PATIENCE = 60  # seconds that jobs have to come to their end when HMS stops; what is cut off is taken back by others
PARENT = "HMS_PARENT_PID"  # in the environment of who works for another: its process id


def end_with_parent() -> None:
    """Ask this process to end (SIGTERM) once the one that is named in its environment has, be it before this was called.

    After a minute it is not asked any more. Looks from a thread. A process for which nobody is named works for itself.
    """
    if PARENT not in os.environ:
        return
    parent = int(os.environ[PARENT])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="hms-parent", daemon=True).start()
