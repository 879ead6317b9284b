"""People at work while something breaks: some book, some read; what each was told, and how long it took to be told."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Event, Lock, Thread
from typing import Any
from uuid import uuid4

from hms.scale import figures
from tests.load.races import PASSWORD, PER_DAY

PACE = 0.01  # seconds between two requests of one client
DURATION = "total;dur="


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: when it was asked for (monotonic), its status (0: none came), seconds for the client and in the server."""

    kind: str
    at: float
    status: int
    seconds: float
    served_in: float
    retry_after: str


@dataclass
class Load:
    """`writers` book one slot after the other, each again with the same key until it is booked; `readers` only look."""

    host: str
    seeded: dict[str, Any]
    token: str = ""
    told: list[Told] = field(default_factory=list)
    booked: list[tuple[str, str]] = field(default_factory=list)  # provider, start
    lost: list[str] = field(default_factory=list)  # what the network said instead of an answer
    _lock: Lock = field(default_factory=Lock)
    _stop: Event = field(default_factory=Event)

    def sign_in(self) -> None:
        body = {"email": "races@races.test", "password": PASSWORD}
        status, answer = self._ask("sign-in", "POST", "/api/v2/auth/token", body)
        assert status == 200, answer
        self.token = answer["data"]["access"]

    @contextmanager
    def running(self, writers: int, readers: int) -> Iterator[None]:
        """The clients run within the block; afterwards each has finished its last booking."""
        threads = [Thread(target=self._book, args=(number,)) for number in range(writers)]
        threads += [Thread(target=self._read, args=(path,)) for path in self._paths(readers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads)

    def _paths(self, readers: int) -> list[str]:
        paths = ["/api/v2/patients", "/api/v2/appointments", "/health", "/"]
        return [paths[number % len(paths)] for number in range(readers)]

    def _read(self, path: str) -> None:
        while not self._stop.is_set():
            self._ask("read", "GET", path)
            time.sleep(PACE)

    def _book(self, number: int) -> None:
        first = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=1)
        own = {
            "service": self.seeded["service"],
            "provider": self.seeded["providers"][number],
            "patient": self.seeded["patients"][number],
            "room": self.seeded["rooms"][number],
        }
        for slot in count():
            if self._stop.is_set():
                return
            start = (first + timedelta(days=slot // PER_DAY, minutes=20 * (slot % PER_DAY))).isoformat()
            key = str(uuid4())
            while self._ask("write", "POST", "/api/v2/appointments", own | {"start": start}, key)[0] != 201:
                time.sleep(PACE)
            with self._lock:
                self.booked.append((own["provider"], start))
            time.sleep(PACE)

    def _ask(self, kind: str, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        at, connection = time.monotonic(), HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            with self._lock:
                self.lost.append(f"{path}: {error!r}")
                self.told.append(Told(kind, at, 0, time.monotonic() - at, 0.0, ""))
            return 0, {}
        finally:
            connection.close()
        timing = response.getheader("Server-Timing", "")
        served_in = float(timing.partition(DURATION)[2].partition(",")[0]) / 1000 if DURATION in timing else 0.0
        again = response.getheader("Retry-After", "")
        with self._lock:
            self.told.append(Told(kind, at, response.status, time.monotonic() - at, served_in, again))
        return response.status, json.loads(content) if content.startswith(b"{") else {}

    # --- Looking back -----------------------------------------------------------------------------------------------------
    def between(self, since: float, until: float, where: Callable[[Told], bool] = lambda told: True) -> list[Told]:
        """The answers that were asked for within this time."""
        with self._lock:
            return [told for told in self.told if since <= told.at < until and where(told)]

    def statuses(self, since: float, until: float) -> Counter[int]:
        return Counter(told.status for told in self.between(since, until))


def percentile(values: list[float], share: float) -> float:
    return figures.percentile(sorted(values), share)


def spread(seconds: list[float]) -> str:
    """In milliseconds."""
    return ", ".join(
        f"{name} {percentile(seconds, share) * 1000:.1f} ms" for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))
    )
