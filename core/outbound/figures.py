"""What was asked of other systems and how it went, by system and endpoint: counts of this process that say nothing of anybody."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """`outcomes`: by `2xx` … `5xx`, or the cause where there was no answer. `seconds`: all of them together."""

    system: str
    endpoint: str
    requests: int
    retries: int
    in_flight: int
    seconds: float
    slowest: float
    is_open: bool
    outcomes: dict[str, int] = field(default_factory=dict)


class Meter:
    """Counts for one endpoint. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: Counter[str] = Counter()
        self.in_flight = 0
        self._requests = self._retries = 0
        self._seconds = self._slowest = 0.0

    @contextmanager
    def measured(self, *, retry: bool) -> Iterator[None]:
        """One request to the endpoint."""
        with self._lock:
            self.in_flight += 1
            self._requests += 1
            self._retries += retry
        began = perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.in_flight -= 1
                seconds = perf_counter() - began
                self._seconds += seconds
                self._slowest = max(self._slowest, seconds)

    def note(self, outcome: str) -> None:
        with self._lock:
            self._outcomes[outcome] += 1

    def figures(self, system: str, endpoint: str, *, is_open: bool) -> EndpointFigures:
        with self._lock:
            counts: dict[str, Any] = {"requests": self._requests, "retries": self._retries, "in_flight": self.in_flight}
            return EndpointFigures(
                system, endpoint, **counts, seconds=self._seconds, slowest=self._slowest, is_open=is_open,
                outcomes=dict(self._outcomes),
            )  # fmt: skip
