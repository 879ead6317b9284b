"""What rules can be about, what they compare, and the rules that an installation begins with."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.monitoring.series import Minute, counted, percent, quantile

FEWEST = 20  # requests in a rule's time; below that their errors and their slowness count as none
HEALTH = "health"


class Severity(models.TextChoices):
    WARNING = "warning", _("Warning")
    CRITICAL = "critical", _("Critical")


class Comparison(models.TextChoices):
    AT_LEAST = "at_least", _("at least")
    AT_MOST = "at_most", _("at most")
    IS = "is", _("exactly")


COMPARE: dict[str, Callable[[float, float], bool]] = {
    Comparison.AT_LEAST: operator.ge,
    Comparison.AT_MOST: operator.le,
    Comparison.IS: operator.eq,
}


@dataclass(frozen=True, slots=True)
class Metric:
    """`of` makes the figure from the minutes of a rule's time, added up; None says that nothing can be said. `shared`: every server
    sees the same, because it stands in the database."""

    name: str
    label: str | Promise
    unit: str
    of: Callable[[Minute], float | None]
    shared: bool = False


def mean(name: str) -> Callable[[Minute], float | None]:
    return lambda minutes: minutes[name].mean if name in minutes else None


def _slow(share: float) -> Callable[[Minute], float | None]:
    return lambda minutes: 1000 * (quantile(minutes, share) or 0.0) if _are_enough(minutes) else 0.0


def _errors(minutes: Minute) -> float | None:
    return percent(minutes, "errors", "requests") if _are_enough(minutes) else 0.0


def _are_enough(minutes: Minute) -> bool:
    return counted(minutes, "requests") >= FEWEST


_METRICS = (
    Metric(HEALTH, _("A check is"), "", lambda minutes: None),
    Metric("cpu_percent", _("Processor"), "%", mean("cpu_percent")),
    Metric("memory_percent", _("Memory"), "%", mean("memory_percent")),
    Metric("disk_percent", _("Disk"), "%", mean("disk_percent")),
    Metric("request_p50_ms", _("Requests, median"), "ms", _slow(0.50)),
    Metric("request_p95_ms", _("Requests, 95th percentile"), "ms", _slow(0.95)),
    Metric("request_p99_ms", _("Requests, 99th percentile"), "ms", _slow(0.99)),
    Metric("error_percent", _("Requests that failed (5xx)"), "%", _errors),
    Metric("pool_waiting", _("Requests that wait for a connection"), "", mean("pool_waiting")),
    Metric("streams", _("Open streams"), "", mean("streams")),
    Metric("jobs_waiting", _("Jobs that wait"), "", mean("jobs_waiting"), shared=True),
    Metric("jobs_oldest_seconds", _("Longest wait of a job"), "s", mean("jobs_oldest_seconds"), shared=True),
    Metric("jobs_dead", _("Jobs that nobody will try again"), "", mean("jobs_dead"), shared=True),
    Metric("messages_oldest_seconds", _("Longest wait of a message"), "s", mean("messages_oldest_seconds"), shared=True),
    Metric("database_bytes", _("Size of the database"), "B", mean("database_bytes"), shared=True),
)
METRICS: Mapping[str, Metric] = {one.name: one for one in _METRICS}


def metric_choices() -> list[tuple[str, str | Promise]]:
    return [(one.name, one.label) for one in _METRICS]


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the rules, as it is worked with."""

    name: str
    metric: str
    threshold: float
    seconds: int
    severity: str
    quiet_minutes: int
    comparison: str = Comparison.AT_LEAST.value
    subject: str = ""
    is_active: bool = True

    def holds(self, value: float) -> bool:
        return COMPARE[self.comparison](value, self.threshold)

    def is_worse(self, value: float, than: float) -> bool:
        return value < than if self.comparison == Comparison.AT_MOST else value > than


# Written into the table by a migration; worked with as they stand here while the table has never been read.
DEFAULTS = (
    Rule("cpu", "cpu_percent", 80, 300, "warning", 60),
    Rule("memory", "memory_percent", 85, 300, "warning", 60),
    Rule("disk", "disk_percent", 90, 60, "critical", 240),
    Rule("slow-requests", "request_p95_ms", 2000, 300, "warning", 60),
    Rule("errors", "error_percent", 5, 300, "critical", 30),
    Rule("dead-jobs", "jobs_dead", 1, 60, "warning", 1440),
    Rule("unhealthy", HEALTH, 2, 30, "critical", 60),
    Rule("degraded", HEALTH, 1, 300, "warning", 240, comparison=Comparison.IS.value),
    Rule("database-away", HEALTH, 2, 15, "critical", 30, subject="database"),
    Rule("backup-age", HEALTH, 1, 60, "critical", 720, subject="backup"),
    # What the rules about percentages tell earlier.
    Rule("health-disk", HEALTH, 2, 60, "critical", 240, subject="disk", is_active=False),
    Rule("health-memory", HEALTH, 2, 60, "critical", 240, subject="memory", is_active=False),
)
