"""How the queues stand: for metrics, the administration, `manage.py jobs stats` and the API alike."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connections, router

from core.jobs.models import Job
from core.jobs.queues import QUEUES

WINDOW = timedelta(hours=1)

LIVE_NOW = """
SELECT queue, count(*) FILTER (WHERE state IN ('queued', 'retrying') AND run_at <= statement_timestamp()),
    count(*) FILTER (WHERE state IN ('queued', 'retrying') AND run_at > statement_timestamp()),
    count(*) FILTER (WHERE state = 'running'), count(*) FILTER (WHERE state IN ('failed', 'dead')),
    coalesce(extract(epoch FROM statement_timestamp() -
        min(run_at) FILTER (WHERE state IN ('queued', 'retrying') AND run_at <= statement_timestamp())), 0)
FROM core_job WHERE state <> 'succeeded' AND state <> 'cancelled' AND {mine} GROUP BY queue
"""
ENDED = """
SELECT queue, count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state IN ('failed', 'dead')),
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - run_at)),
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
FROM core_job WHERE finished_at > statement_timestamp() - %(window)s AND state <> 'cancelled' AND {mine} GROUP BY queue
"""
MINE = "in_clinic = %(clinic)s"


@dataclass(slots=True)
class QueueStatistics:
    """Of one queue now, and within the last hour. Seconds; None where nothing ended. `oldest_s` is how long the first that is due
    has been waiting; waits are from being due to the last start."""

    queue: str
    workers: str
    waiting: int = 0
    later: int = 0
    running: int = 0
    dead_letters: int = 0
    oldest_s: float = 0
    succeeded: int = 0
    failed: int = 0
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    run_p50_s: float | None = None
    run_p95_s: float | None = None

    @property
    def is_used(self) -> bool:
        """Is there anything to say of it?"""
        return any((self.waiting, self.later, self.running, self.dead_letters, self.succeeded, self.failed))

    @property
    def per_minute(self) -> float:
        return round(self.succeeded / (WINDOW.total_seconds() / 60), 2)

    @property
    def failure_rate(self) -> float:
        """Of those that ended, 0 to 1."""
        ended = self.succeeded + self.failed
        return round(self.failed / ended, 4) if ended else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "per_minute": self.per_minute, "failure_rate": self.failure_rate}


def queue_statistics(clinic_id: UUID | None = None) -> list[QueueStatistics]:
    """Every queue, in the order of their table; of one clinic's jobs, or of all. Two queries."""
    found = {name: QueueStatistics(name, queue.workers.value) for name, queue in QUEUES.items()}
    values: dict[str, Any] = {"clinic": clinic_id, "window": WINDOW}
    mine = MINE if clinic_id is not None else "true"
    with connections[router.db_for_read(Job)].cursor() as cursor:
        cursor.execute(LIVE_NOW.format(mine=mine), values)
        for name, *counts, oldest in cursor.fetchall():
            one = found.setdefault(name, QueueStatistics(name, ""))
            one.waiting, one.later, one.running, one.dead_letters = counts
            one.oldest_s = _rounded(oldest) or 0
        cursor.execute(ENDED.format(mine=mine), values)
        for name, succeeded, failed, waits, runs in cursor.fetchall():
            one = found.setdefault(name, QueueStatistics(name, ""))
            one.succeeded, one.failed = succeeded, failed
            one.wait_p50_s, one.wait_p95_s = map(_rounded, waits or (None, None))
            one.run_p50_s, one.run_p95_s = map(_rounded, runs or (None, None))
    return list(found.values())


def _rounded(seconds: Any) -> float | None:
    return None if seconds is None else round(max(float(seconds), 0), 3)
