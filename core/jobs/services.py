"""Wanting something done, and thinking better of it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, router, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, NotFound
from core.jobs.broker import Parcel, hand_over
from core.jobs.kinds import Within, kind_of
from core.jobs.models import DEAD_LETTERS, LIVE, Job, JobQuerySet, State
from core.jobs.payloads import NotAPayload, checked
from core.jobs.queues import QUEUES
from core.tenancy.context import Scope, current_scope, unit_of_work
from core.tenancy.models import Clinic

if TYPE_CHECKING:
    from core.accounts.actor import Actor

KEY = re.compile(r"[a-z0-9][a-zA-Z0-9_.:+-]{0,99}")  # times have a T and a Z
AGAIN = (*DEAD_LETTERS, State.CANCELLED)


def enqueue(
    kind: str,
    *,
    payload: Mapping[str, Any] | None = None,
    clinic: "Clinic | UUID | None" = None,
    queue: str | None = None,
    priority: int | None = None,
    run_at: datetime | None = None,
    dedupe_key: str = "",
    after: Iterable[UUID] = (),
) -> UUID:
    """Write the job in the caller's transaction; workers learn of it when that has committed. Returns the job's id.

    `payload` holds ids, numbers, codes and dates, by the names that the kind's function takes. `priority` is 0 (first) to 9;
    `after` are jobs that must have succeeded before. With a `dedupe_key` that a live job of this kind and clinic has, running
    ones too, nothing is written and that job's id is returned. One statement, with a `dedupe_key` two, or three when there is one.
    """
    job = _job(kind, payload or {}, clinic, queue, priority, run_at, dedupe_key, after)
    if _write([job]):
        return job.pk
    same = Job.objects.filter(kind=kind, in_clinic=job.in_clinic, dedupe_key=dedupe_key).order_by("-pk")
    live, ended = same.filter(state__in=LIVE), same  # it may have ended this moment
    return live.values_list("pk", flat=True).first() or ended.values_list("pk", flat=True)[0]


def enqueue_for_clinics(kind: str, clinics: Sequence[UUID], *, payload: Mapping[str, Any] | None = None, dedupe_key: str) -> int:
    """One job for each clinic that has no live one with this key; returns how many were written. Two statements."""
    return len(_write([_job(kind, payload or {}, clinic, None, None, None, dedupe_key, ()) for clinic in clinics]))


def begin_soon(kind: str) -> None:
    """See to it that a job of this kind begins after now: one that is due and that nobody has taken yet, else a new one.

    For kinds of no clinic that look by themselves for what there is to do. Called after the commit of what they are to see, not
    within it: whoever looks then knows that a job which still waits will see it, and no transaction waits for another's key.
    Should the process die before, the schedule's next job sees it. One statement where a job waits, else two.
    """
    with unit_of_work(Scope(request_id=(current_scope() or Scope()).request_id, reason="jobs")):
        if not Job.objects.waiting().filter(kind=kind, run_at__lte=Now(), in_clinic=None, after=[]).exists():
            enqueue(kind)


def begin_at(kind: str, moment: datetime) -> None:
    """See to it that a job of this kind begins at that moment, to the second; one for each second. Two statements."""
    due = moment.replace(microsecond=0) + timedelta(seconds=1)
    enqueue(kind, run_at=due, dedupe_key=f"at-{due.timestamp():.0f}")


def cancel(*, actor: "Actor | None", job_id: UUID) -> Job:
    """The job is not done. One that runs loses its claim: it can save nothing any more (what it did outside stays done).

    Raises NotFound, and Conflict when it is over. Two statements.
    """
    with _locked(actor, job_id, "cancel") as job:
        if not job.is_live:
            raise Conflict(_("This job is over."))
        job.state, job.claim, job.lease_until, job.finished_at = State.CANCELLED, None, None, Now()
        job.save(update_fields=["state", "claim", "lease_until", "finished_at"])
    return job


def requeue(*, actor: "Actor | None", job_id: UUID) -> Job:
    """Try a job again that failed, died or was cancelled, with all its attempts. Raises NotFound and Conflict. Three statements."""
    with _locked(actor, job_id, "retry") as job:
        if job.state not in AGAIN:
            raise Conflict(_("Only a job that has failed or was cancelled can be tried again."))
        if not _again([job.pk]):
            raise Conflict(_("Another job does the same already."))
        job.refresh_from_db()
    return job


def requeue_all(*, actor: "Actor | None", kind: str = "", queue: str = "") -> int:
    """Try every dead letter again, of one kind or queue if given; returns how many. Two statements.

    Of several with one key the newest is taken, and none where a live job has it.
    """
    if actor is not None:
        actor.require("job", "retry")
    rows = visible_jobs(actor).dead_letters()
    rows = rows.filter(kind=kind) if kind else rows
    rows = rows.filter(queue=queue) if queue else rows
    return _again(list(rows.values_list("pk", flat=True)))


def visible_jobs(actor: "Actor | None") -> JobQuerySet:
    """A clinic's people see its jobs; the platform's roles in a clinic also those of none, and without one all, as does an operator
    at the machine (no actor)."""
    rows = Job.objects.all()
    if actor is None or (actor.is_platform and actor.clinic_id is None):
        return rows
    own = Q(in_clinic=actor.clinic_id)
    return rows.filter(own | Q(in_clinic=None) if actor.is_platform else own)


# --- Inside ------------------------------------------------------------------------------------------------------------------
@contextmanager
def _locked(actor: "Actor | None", job_id: UUID, action: str) -> Iterator[Job]:
    if actor is not None:
        actor.require("job", action)
    with transaction.atomic(using=router.db_for_write(Job)):
        job = visible_jobs(actor).select_for_update().filter(pk=job_id).first()
        if job is None:
            raise NotFound(_("There is no such job."))
        yield job


def _job(
    name: str,
    payload: Mapping[str, Any],
    clinic: "Clinic | UUID | None",
    queue: str | None,
    priority: int | None,
    run_at: datetime | None,
    dedupe_key: str,
    after: Iterable[UUID],
) -> Job:
    kind, scope = kind_of(name), current_scope() or Scope()
    stored = checked(payload)
    kind.arguments.check(stored)
    clinic_id = clinic.pk if isinstance(clinic, Clinic) else clinic
    if (kind.within is Within.CLINIC and clinic_id is None) or (kind.within is Within.PLATFORM and clinic_id is not None):
        raise NotAPayload(f"{name} is done within {kind.within}: that {'needs a' if clinic_id is None else 'has no'} clinic.")
    place = QUEUES[queue] if queue else kind.queue
    job = Job(
        kind=name,
        queue=place.name,
        workers=place.workers,
        priority=place.priority if priority is None else min(max(priority, 0), 9),
        in_clinic=clinic_id,
        payload=stored,
        dedupe_key=_key(dedupe_key),
        after=list(after),
        run_at=run_at or Now(),  # the database's clock: another machine's may be hours off
        attempts_allowed=kind.attempts,
        requested_by=scope.user_id,
        request_id=scope.request_id,
        created_at=Now(),
    )
    if (run_at is None or run_at <= timezone.now()) and not job.after:
        job.sent_at, job.sends = Now(), 1
    return job


def _key(text: str) -> str:
    if text and not KEY.fullmatch(text):
        raise NotAPayload("A key is made of ids, codes and dates.")
    return text


def _write(jobs: list[Job]) -> list[UUID]:
    """The ids that went in: all, unless a live job has a key already."""
    keyed = any(job.dedupe_key for job in jobs)
    Job.objects.bulk_create(jobs, ignore_conflicts=keyed)
    ids = [job.pk for job in jobs]
    if keyed:
        ids = list(Job.objects.filter(pk__in=ids).values_list("pk", flat=True))
    new = [Parcel(job.pk, job.queue, job.priority) for job in jobs if job.sent_at and job.pk in set(ids)]
    if new:
        transaction.on_commit(partial(hand_over, new), using=router.db_for_write(Job), robust=True)
    return ids


AGAIN_NOW = """
UPDATE core_job AS job SET state = 'queued', attempts = 0, run_at = now(), sent_at = now(), sends = 1, finished_at = NULL,
    progress = 0, sentence = ''
FROM (
    SELECT DISTINCT ON (CASE WHEN dedupe_key = '' THEN id::text ELSE concat_ws('|', kind, in_clinic::text, dedupe_key) END) id
    FROM core_job WHERE id = ANY(%s) AND state IN ('failed', 'dead', 'cancelled')
    ORDER BY CASE WHEN dedupe_key = '' THEN id::text ELSE concat_ws('|', kind, in_clinic::text, dedupe_key) END, id DESC
) AS chosen
WHERE job.id = chosen.id AND NOT (job.dedupe_key <> '' AND EXISTS (
    SELECT FROM core_job AS live WHERE live.kind = job.kind AND live.in_clinic IS NOT DISTINCT FROM job.in_clinic
    AND live.dedupe_key = job.dedupe_key AND live.state IN ('queued', 'retrying', 'running')))
RETURNING job.id, job.queue, job.priority
"""


def _again(ids: list[UUID]) -> int:
    alias = router.db_for_write(Job)
    with connections[alias].cursor() as cursor:
        cursor.execute(AGAIN_NOW, [ids])
        parcels = [Parcel(*row) for row in cursor.fetchall()]
    transaction.on_commit(partial(hand_over, parcels), using=alias, robust=True)
    return len(parcels)
