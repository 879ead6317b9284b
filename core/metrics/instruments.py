"""What is counted, by name. With PROMETHEUS_MULTIPROC_DIR the processes of a server count in files that any of them can add up."""

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from core.metrics.ended import reading

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
QUERIES = (0, 1, 2, 4, 6, 8, 12, 20, 50)

own = CollectorRegistry()

# --- Counted with each request ---------------------------------------------------------------------------------------------
requests = Counter("hms_requests", "Requests that were answered.", ["route", "method", "status", "role"], registry=own)
seconds = Histogram("hms_request_seconds", "Until the answer.", ["route", "method"], registry=own, buckets=SECONDS)
queries = Histogram("hms_request_queries", "Statements of one request.", registry=own, buckets=QUERIES)
route_queries = Counter("hms_route_queries", "Statements, by route.", ["route"], registry=own)
route_database_seconds = Counter("hms_route_database_seconds", "Time in the database, by route.", ["route"], registry=own)
limited = Counter("hms_rate_limited", "Requests refused by a rate limit (429), by class of route.", ["limit"], registry=own)


def gauge(name: str, text: str, labels: tuple[str, ...] = (), *, highest: bool = False) -> Gauge:
    """What is true now, of the processes that live: added up, or the highest."""
    return Gauge(name, text, labels, registry=own, multiprocess_mode="livemax" if highest else "livesum")


def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
    """What only grows. Those that have ended still count."""
    return Counter(name, text, labels, registry=own)


def is_shared() -> bool:
    """Do several processes count together?"""
    return FOLDER in os.environ


class Together(MultiProcessCollector):
    """Of all processes of the server, those that have ended too: each is counted once, also at the moment it ends."""

    def collect(self) -> Iterable[Metric]:
        with reading(Path(self._path)) as files:
            found: Iterable[Metric] = self.merge(map(str, files))  # type: ignore[no-untyped-call]
        return found


def registry_to_read() -> CollectorRegistry:
    """For one reading: all processes of the server, or this one alone."""
    if not is_shared():
        return own
    together = CollectorRegistry()
    Together(together)  # type: ignore[no-untyped-call]
    return together
