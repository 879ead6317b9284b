"""The figures of a minute, read by one process of each server: from what its processes have counted together, from the machine, and
from the database as far as that answers."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import psutil

from core.health.checks import Finding
from core.health.watched import ask_all
from core.metrics.instruments import registry_to_read
from core.metrics.sources import sources
from core.monitoring.series import BEYOND, BOUNDS, Sampled, Value, within

FAILED = "5"  # with which the status of an answer that failed begins
HITS = ("memory", "redis")
# Of core.metrics' sources: series -> name of the figure, and how its values by queue become one.
ASKED: dict[str, tuple[str, Callable[[Iterable[float]], float]]] = {
    "jobs_waiting": ("hms_jobs_waiting", sum),
    "jobs_oldest_seconds": ("hms_jobs_oldest_seconds", max),
    "jobs_dead": ("hms_jobs_dead_letters", sum),
    "messages_waiting": ("hms_messages_waiting", sum),
    "messages_oldest_seconds": ("hms_messages_oldest_seconds", max),
    "database_bytes": ("hms_database_bytes", sum),
    "sessions": ("hms_sessions_live", sum),
    "people_active": ("hms_people_active", sum),
}


class Reader:
    """Knows what had been counted when it last read: the first reading is where counting begins."""

    def __init__(self) -> None:
        self._before: dict[str, float] | None = None
        psutil.cpu_percent()  # of the time until it is asked again

    def minute(self, moment: datetime, findings: Iterable[Finding]) -> Sampled:
        """The minute that is over at `moment` (aware). One reading of all counts, and the queries of the sources."""
        totals, now = counters()
        values = {name: Value.of(seen) for name, seen in (_machine(findings) | now | _asked()).items()}
        if self._before is not None:
            before = self._before
            values |= {name: Value.of(_grown(total, before.get(name, 0.0))) for name, total in totals.items()}
        self._before = totals
        return Sampled(minute_before(moment), values)


def minute_before(moment: datetime) -> datetime:
    """When the last whole minute before `moment` began."""
    whole = int(moment.timestamp()) // 60 * 60
    return datetime.fromtimestamp(whole - 60, UTC)


def _grown(total: float, before: float) -> float:
    """A count that is smaller than it was has begun anew."""
    return total - before if total >= before else total


def counters() -> tuple[dict[str, float], dict[str, float]]:
    """What the server's processes have counted since it started, and what is true of them now; by series."""
    totals = dict.fromkeys(("requests", "errors", "limited", "statements", "database_seconds"), 0.0)
    totals |= dict.fromkeys(("cache_hits", "cache_reads", "repeating_requests", BEYOND, *map(within, BOUNDS)), 0.0)
    cumulative: dict[float, float] = {}
    now = dict.fromkeys(("pool_in_use", "pool_waiting", "streams", "resident_bytes"), 0.0)
    for metric in registry_to_read().collect():
        for sample in metric.samples:
            if sample.name == "hms_request_seconds_bucket":
                bound = float(sample.labels["le"])
                cumulative[bound] = cumulative.get(bound, 0.0) + sample.value
            else:
                _add(sample, totals, now)
    _apart(cumulative, totals)
    return totals, now


COUNTED = {
    "hms_rate_limited_total": "limited",
    "hms_database_statements_total": "statements",
    "hms_database_seconds_total": "database_seconds",
    "hms_requests_repeating_total": "repeating_requests",
}
TRUE_NOW = {
    "hms_pool_requests_waiting": "pool_waiting",
    "hms_streams_open": "streams",
    "hms_process_resident_bytes": "resident_bytes",
}


def _add(sample: Any, totals: dict[str, float], now: dict[str, float]) -> None:
    name, value, labels = sample.name, sample.value, sample.labels
    if name == "hms_requests_total":
        totals["requests"] += value
        totals["errors"] += value if labels["status"].startswith(FAILED) else 0
    elif name == "hms_cache_reads_total":
        totals["cache_reads"] += value
        totals["cache_hits"] += value if labels["result"] in HITS else 0
    elif name == "hms_pool_connections" and labels["state"] == "in_use":
        now["pool_in_use"] += value
    elif name in COUNTED:
        totals[COUNTED[name]] += value
    elif name in TRUE_NOW:
        now[TRUE_NOW[name]] += value


def _apart(cumulative: dict[float, float], totals: dict[str, float]) -> None:
    """Prometheus counts what took no longer than each bound; here each request counts once."""
    before = 0.0
    for bound, count in sorted(cumulative.items()):
        totals[within(bound)] = count - before
        before = count


def _machine(findings: Iterable[Finding]) -> dict[str, float]:
    """Processor time since the last minute; disk and memory as the health checks have found them."""
    found = {"cpu_percent": psutil.cpu_percent()}
    for one in findings:
        if one.name in ("disk", "memory") and "usage_percent" in one.figures:
            found[f"{one.name}_percent"] = one.figures["usage_percent"]
    return found


def _asked() -> dict[str, float]:
    """What stands in the database. What gives no answer in time is left out."""
    answers = ask_all(sources().values())
    figures = {figure.name: figure for answer in answers for figure in answer.value or []}
    found = {}
    for series, (name, together) in ASKED.items():
        if name in figures and (values := figures[name].values.values()):
            found[series] = together(values)
    return found
