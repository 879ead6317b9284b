"""Figures of the foundation's own tables: jobs, messages, faults."""

from collections.abc import Callable
from typing import Any

from django.db import connections

from core.faults.models import Fault
from core.jobs.statistics import QueueStatistics, queue_statistics
from core.messaging.models import State
from core.metrics.sources import Figure, add_source
from core.tenancy.context import Scope, platform_scope, unit_of_work
from core.workers.selectors import Seen, seen_processes

JOBS_KEPT = 10.0  # seconds
JOBS = {  # of core.jobs.statistics: what is said of each queue, in words
    "waiting": "Jobs that are due and not begun.",
    "later": "Jobs that are not due yet.",
    "running": "Jobs that run.",
    "dead_letters": "Jobs that nobody will try again by himself.",
    "oldest_s": "Seconds for which the first that is due has been waiting.",
    "succeeded": "Jobs that succeeded within the last hour.",
    "failed": "Jobs that failed for good within the last hour.",
    "wait_p95_s": "Seconds from being due to the start, 95th percentile of the last hour.",
    "run_p95_s": "Seconds that jobs ran, 95th percentile of the last hour.",
}
MESSAGES = """
SELECT count(*), coalesce(extract(epoch FROM statement_timestamp() - min(due_at)), 0) FROM core_outgoingmessage
WHERE state = 'waiting' AND due_at <= statement_timestamp()
"""
TRIED = """
SELECT state, count(*) FROM core_outgoingmessage WHERE created_at > statement_timestamp() - interval '1 day' GROUP BY state
"""


type Count = Callable[[list[Seen]], float]
WORKERS: tuple[tuple[str, str, Count], ...] = (
    ("processes", "Processes that work on jobs and live.", lambda those: sum(one.is_well for one in those)),
    (
        "processes_not_well",
        "Processes that are silent, or are handed nothing.",
        lambda those: sum(not one.is_well for one in those),
    ),
    ("silent_seconds", "The longest that one has been silent.", lambda those: max(one.silent_s for one in those)),
    ("resident_bytes", "Their memory.", lambda those: sum(one.resident for one in those)),
    ("resident_bytes_max", "Memory of the largest.", lambda those: max(one.resident for one in those)),
    ("jobs_succeeded", "Jobs that those that live have done.", lambda those: sum(one.succeeded for one in those)),
    ("jobs_failed", "Attempts that failed in those that live.", lambda those: sum(one.failed for one in those)),
    ("busy_seconds", "Seconds that those that live have spent in jobs.", lambda those: sum(one.busy_s for one in those)),
)


def register() -> None:
    """At start."""
    add_source("jobs", jobs, kept=JOBS_KEPT)
    add_source("messages", messages)
    add_source("faults", faults)
    add_source("workers", workers, kept=JOBS_KEPT)


def jobs() -> list[Figure]:
    """By queue. Two queries."""
    with unit_of_work(Scope(reason="metrics")):
        queues = queue_statistics()
    return [Figure(_name(name), text, ("queue",), _by_queue(queues, name)) for name, text in JOBS.items()]


def _name(statistic: str) -> str:
    """Prometheus wants units in words."""
    bare = statistic.removesuffix("_s")
    return f"hms_jobs_{bare}" + ("_seconds" if bare != statistic else "")


def _by_queue(queues: list[QueueStatistics], name: str) -> dict[tuple[str, ...], float]:
    said = {(one.queue,): getattr(one, name) for one in queues}
    return {queue: float(value) for queue, value in said.items() if value is not None}


def messages() -> list[Figure]:
    """What waits to be sent, and what became of those of the last day. Two queries."""
    with platform_scope(reason="metrics"), connections["platform"].cursor() as cursor:
        (waiting, oldest), by_state = _row(cursor, MESSAGES), _rows(cursor, TRIED)
    return [
        Figure("hms_messages_waiting", "Messages that are due and not sent.", (), {(): float(waiting)}),
        Figure("hms_messages_oldest_seconds", "How long the first that is due has been waiting.", (), {(): float(oldest)}),
        Figure(
            "hms_messages", "Messages of the last day, by state.", ("state",),
            {(state,): float(by_state.get(state, 0)) for state in State.values},
        ),
    ]  # fmt: skip


def faults() -> list[Figure]:
    """Errors of HMS itself, of all processes. One query."""
    with unit_of_work(Scope(reason="metrics")), connections["default"].cursor() as cursor:
        cursor.execute("SELECT kind, sum(count), count(*) FILTER (WHERE state = 'open') FROM core_fault GROUP BY kind")
        found = {kind: (float(total), float(still)) for kind, total, still in cursor.fetchall()}
    zero, words = (0.0, 0.0), ("Errors of HMS itself that are remembered.", "Different ones that are open.")
    return [
        Figure(name, text, ("kind",), {(kind,): found.get(kind, zero)[place] for kind in Fault.Kind.values})
        for place, (name, text) in enumerate(zip(("hms_faults_total", "hms_faults_open"), words, strict=True))
    ]


def workers() -> list[Figure]:
    """What the processes that work on jobs have last said, by the classes that they serve ("clock" for none). One query."""
    with unit_of_work(Scope(reason="metrics")):
        seen = seen_processes()
    groups: dict[tuple[str, ...], list[Seen]] = {}
    for one in seen:
        groups.setdefault(("+".join(one.classes) or "clock",), []).append(one)
    return [
        Figure(f"hms_worker_{name}", text, ("classes",), {label: float(count(those)) for label, those in groups.items()})
        for name, text, count in WORKERS
    ]


def _row(cursor: Any, sql: str) -> Any:
    cursor.execute(sql)
    return cursor.fetchone()


def _rows(cursor: Any, sql: str) -> dict[str, int]:
    cursor.execute(sql)
    return dict(cursor.fetchall())
