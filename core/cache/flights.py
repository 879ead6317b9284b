"""One thread loads, the others wait: for each key at most one loader at a time in this process."""

import threading
import time

PATIENCE = 2.0  # seconds that a thread waits for another's loader before it runs its own


class _Flight:
    __slots__ = ("landed", "thread")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.thread = threading.get_ident()


class Flights:
    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def board(self, key: str, deadline: float) -> bool:
        """True: this thread is to load, and to `land` afterwards. False: another has just loaded, so look again.

        After `deadline` (time.monotonic()) nobody waits any longer, nor does a loader that asks for its own key.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                self._flights[key] = _Flight()
                return True
        if flight.thread == threading.get_ident():
            return True
        return not flight.landed.wait(max(0.0, deadline - time.monotonic()))

    def land(self, key: str) -> None:
        """Only the thread that took off lands it; from others it means nothing."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or flight.thread != threading.get_ident():
                return
            del self._flights[key]
        flight.landed.set()
