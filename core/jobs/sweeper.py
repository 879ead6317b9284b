"""Makes good what crashes swallowed: jobs that nobody took are handed over again, and those whose worker died are taken back."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections

from core.jobs.broker import Parcel, empty_classes, hand_over
from core.jobs.models import State
from core.jobs.telling import Ended, tell_who_began
from core.tenancy.context import Scope, narrowed, unit_of_work

MOST = 1000  # jobs in one turn: a turn with so many takes well under a second
# A job that nobody took is handed over again after ten seconds when nothing waits at the broker for its class of workers: then
# it was lost. Else after as long, doubled each time: thousands that wait for a worker aren't handed over all the time.
FIRST_AGAIN = timedelta(seconds=10)
DOUBLINGS = 6

TAKE_BACK = """
UPDATE core_job AS job SET state = CASE WHEN attempts >= attempts_allowed THEN 'dead' ELSE 'retrying' END, claim = NULL,
    lease_until = NULL, run_at = now(), cause = 'worker lost', sent_at = NULL, sends = 0,
    finished_at = CASE WHEN attempts >= attempts_allowed THEN now() END
FROM (SELECT id FROM core_job WHERE state = 'running' AND lease_until < clock_timestamp()
      ORDER BY lease_until LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS lost
WHERE job.id = lost.id
RETURNING job.id, job.kind, job.in_clinic, job.requested_by, job.state
"""
# What waits for something that will not succeed any more.
CANCEL = """
UPDATE core_job AS job SET state = 'cancelled', cause = 'a job before it did not succeed', finished_at = now()
FROM (SELECT id FROM core_job AS waiting WHERE state IN ('queued', 'retrying') AND NOT (after = '{}') AND EXISTS (
          SELECT FROM core_job AS before WHERE before.id = ANY(waiting.after) AND before.state IN ('failed', 'dead', 'cancelled'))
      LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS hopeless
WHERE job.id = hopeless.id
"""
SEND = """
UPDATE core_job AS job SET sent_at = clock_timestamp(), sends = least(sends + 1, 1000)
FROM (SELECT id FROM core_job AS waiting WHERE state IN ('queued', 'retrying') AND run_at <= clock_timestamp()
          AND (sent_at IS NULL OR (workers = ANY(%(empty)s) AND sent_at < clock_timestamp() - %(again)s)
               OR sent_at < clock_timestamp() - %(again)s * 2 ^ least(greatest(sends, 1) - 1, %(doublings)s))
          AND NOT EXISTS (SELECT FROM core_job AS before WHERE before.id = ANY(waiting.after) AND before.state <> 'succeeded')
      ORDER BY priority, run_at LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS due
WHERE job.id = due.id
RETURNING job.id, job.queue, job.priority
"""
UNSENT = "UPDATE core_job SET sent_at = NULL, sends = greatest(sends - 1, 0) WHERE id = ANY(%s) AND state IN ('queued', 'retrying')"


@dataclass(frozen=True, slots=True)
class Swept:
    """Counts of jobs."""

    taken_back: int
    cancelled: int
    sent: int


def sweep() -> Swept:
    """One turn, of at most a thousand jobs each. Three statements, one more while the broker is
    away, and one for each job that died and that somebody waits for.

    Two at once do no harm: each takes other rows, and what is handed over twice is done once.
    """
    values: dict[str, Any] = {"most": MOST, "empty": empty_classes(), "again": FIRST_AGAIN, "doublings": DOUBLINGS}
    with unit_of_work(Scope(reason="jobs")), connections["default"].cursor() as cursor:
        cursor.execute(TAKE_BACK, values)
        lost = [Ended(*row) for row in cursor.fetchall()]
        cursor.execute(CANCEL, values)
        cancelled = cursor.rowcount
        for one in (one for one in lost if one.state == State.DEAD):
            with narrowed(user_id=one.began_by):
                tell_who_began([one])
    with unit_of_work(Scope(reason="jobs")), connections["default"].cursor() as cursor:
        cursor.execute(SEND, values)
        parcels = sorted((Parcel(*row) for row in cursor.fetchall()), key=lambda one: (one.priority, one.job_id))
    if unsent := hand_over(parcels):
        with unit_of_work(Scope(reason="jobs")), connections["default"].cursor() as cursor:
            cursor.execute(UNSENT, [unsent])
    return Swept(len(lost), cancelled, len(parcels) - len(unsent))
