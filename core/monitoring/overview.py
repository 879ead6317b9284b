"""How HMS stands, for the system page and `manage.py system_report`: everything an operator asks first."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections
from django.utils import timezone

from core.cache import process as cache_process
from core.database import detector
from core.database.slow import Slow, slow_log
from core.faults.models import Fault
from core.health.checks import Finding, Status, checks, look, status_of
from core.health.watched import Watched
from core.jobs.statistics import QueueStatistics, queue_statistics
from core.metrics.instruments import registry_to_read
from core.monitoring.charts import Chart
from core.monitoring.figures import Forecast, Period, charts, forecast
from core.monitoring.models import Alert
from core.monitoring.reading import FAILED
from core.security.models import AddressBlock
from core.tenancy.context import Scope, unit_of_work

MOST = 15  # rows of a list
MOST_ALERTS = 50
TABLES = """
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'm') ORDER BY 2 DESC LIMIT %s
"""


@dataclass(slots=True)
class Route:
    """What was asked of one route of this server since it started. Seconds."""

    name: str
    requests: float = 0.0
    errors: float = 0.0
    seconds: float = 0.0
    statements: float = 0.0
    database_seconds: float = 0.0

    def each(self, total: float) -> float:
        return total / self.requests if self.requests else 0.0

    @property
    def milliseconds_each(self) -> float:
        return 1000 * self.each(self.seconds)

    @property
    def database_milliseconds_each(self) -> float:
        return 1000 * self.each(self.database_seconds)

    @property
    def statements_each(self) -> float:
        return self.each(self.statements)


@dataclass(frozen=True, slots=True)
class Overview:
    """`processes`: of how many web processes the cache's figures are; `repetitions`: statements that requests of the answering
    process sent again and again."""

    at: datetime
    period: Period
    status: Status
    alerts: Sequence[Alert]
    faults: Sequence[Fault]
    findings: Sequence[Finding]
    charts: Sequence[Chart]
    routes: Sequence[Route]
    slow: Sequence[Slow]
    repetitions: Sequence[dict[str, Any]]
    processes: int
    families: Sequence[tuple[str, dict[str, float]]]
    queues: Sequence[QueueStatistics]
    blocks: Sequence[AddressBlock]
    forecast: Forecast | None
    tables: Sequence[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ledgers:
    """What takes the database longest to say."""

    queues: Sequence[QueueStatistics] = ()
    tables: Sequence[tuple[str, int]] = ()


def _ledgers() -> Ledgers:
    """Three queries, in a thread of their own."""
    with unit_of_work(Scope(reason="system page")):
        return Ledgers([one for one in queue_statistics() if one.is_used], _largest_tables())


_known: Watched[Ledgers] = Watched("system-page", _ledgers, limit=3.0, kept=10.0)


def overview(period: Period, now: datetime | None = None) -> Overview:
    """All of it. Five queries; those of the checks, and of queues and tables at most every ten seconds, in threads of their own."""
    at = now or timezone.now()
    _known.begin()
    findings = look(checks())
    ledgers = _known.answer().value or Ledgers()
    families, processes = cache_process.figures()
    repetitions = sorted(detector.statistics.snapshot()["repetitions"], key=lambda one: -one["statements"])
    blocks = AddressBlock.objects.filter(lifted_at=None, until__gt=at).order_by("-made_at")
    return Overview(
        at=at,
        period=period,
        status=status_of(findings),
        alerts=list(Alert.objects.open().select_related("rule", "acknowledged_by")[:MOST_ALERTS]),
        faults=list(Fault.objects.filter(state=Fault.State.OPEN).order_by("-last_seen")[:MOST]),
        findings=findings,
        charts=charts(period, at),
        routes=slowest_routes(),
        slow=slow_log.slowest(MOST),
        repetitions=repetitions[:MOST],
        processes=processes,
        families=[(name, with_percent(figures)) for name, figures in families.items()],
        queues=ledgers.queues,
        blocks=list(blocks[:MOST]),
        forecast=forecast(at),
        tables=ledgers.tables,
    )


def slowest_routes() -> list[Route]:
    """Those that took most time in all. No query."""
    found: dict[str, Route] = {}
    seen: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for metric in registry_to_read().collect():
        for sample in metric.samples:
            if (route := sample.labels.get("route")) and not sample.name.endswith(("_bucket", "_created")):
                seen[route][sample.name] += sample.value
                if sample.name == "hms_requests_total" and sample.labels["status"].startswith(FAILED):
                    seen[route]["errors"] += sample.value
    for name, said in seen.items():
        found[name] = Route(
            name,
            requests=said["hms_requests_total"],
            errors=said["errors"],
            seconds=said["hms_request_seconds_sum"],
            statements=said["hms_route_queries_total"],
            database_seconds=said["hms_route_database_seconds_total"],
        )
    return sorted(found.values(), key=lambda one: -one.seconds)[:MOST]


def with_percent(figures: dict[str, float]) -> dict[str, float]:
    """With the hits in percent of all that was asked."""
    hits, loads = figures["memory_hits"] + figures["redis_hits"], figures["misses"] + figures["passed"]
    return {**figures, "percent": 100 * hits / (hits + loads) if hits + loads else 0.0}


def _largest_tables() -> list[tuple[str, int]]:
    with connections["default"].cursor() as cursor:
        cursor.execute(TABLES, [MOST])
        return [(str(name), int(size)) for name, size in cursor.fetchall()]
