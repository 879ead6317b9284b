"""Doing a job: claim it, do it, close it. Called by a worker with an id, once or several times; it is done once."""

import json
import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connections, router, transaction
from django.db.models.functions import Now

from core.errors import DomainError
from core.faults.collecting import collector
from core.faults.noticing import surroundings
from core.jobs.broker import Parcel, hand_over
from core.jobs.kinds import ClaimLost, GiveUp, JobKind, UnknownKind, Within, kind_of
from core.jobs.models import Job, State
from core.jobs.queues import QUEUES
from core.jobs.telling import Ended, tell_who_began
from core.logs import naming
from core.tenancy.context import Scope, clinic_scope, entered, platform_scope, unit_of_work
from core.tracing import hooks

logger = logging.getLogger(__name__)

BEATS = 3  # signs of life within a lease (HMS_JOB_LEASE)
SOON = 0.2  # seconds: progress is written at most so often
GRACE = 5  # seconds beyond the hard limit after which no sign of life is given any more

CLAIM = """
UPDATE core_job SET state = 'running', attempts = attempts + 1, claim = %(claim)s, worker = %(worker)s,
    started_at = clock_timestamp(), lease_until = clock_timestamp() + %(lease)s, progress = 0, sentence = ''
WHERE id = %(id)s AND state IN ('queued', 'retrying') AND run_at <= clock_timestamp()
    AND NOT EXISTS (SELECT FROM core_job AS before WHERE before.id = ANY(core_job.after) AND before.state <> 'succeeded')
RETURNING kind, queue, in_clinic, payload, attempts, attempts_allowed, requested_by, request_id
"""
ALIVE = """
UPDATE core_job SET lease_until = clock_timestamp() + %(lease)s, progress = %(progress)s, sentence = %(sentence)s
WHERE id = %(id)s AND claim = %(claim)s
"""
FOLLOWERS = """
UPDATE core_job SET sent_at = clock_timestamp(), sends = 1
WHERE state = 'queued' AND run_at <= clock_timestamp() AND after @> ARRAY[%(id)s::uuid] AND NOT (after = '{}') AND NOT EXISTS (
    SELECT FROM core_job AS before WHERE before.id = ANY(core_job.after) AND before.id <> %(id)s AND before.state <> 'succeeded')
RETURNING id, queue, priority
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is this process's."""

    id: UUID
    claim: UUID
    kind: str
    queue: str
    clinic_id: UUID | None
    payload: dict[str, Any]
    attempt: int
    attempts_allowed: int
    requested_by: UUID | None
    request_id: str

    @property
    def scope(self) -> Scope:
        return Scope(None, self.requested_by, self.request_id, f"job {self.kind}")

    def ended(self, state: State) -> Ended:
        return Ended(self.id, self.kind, self.clinic_id, self.requested_by, state)

    @property
    def row(self) -> Any:
        """The job as long as this attempt holds it."""
        return Job.objects.filter(pk=self.id, claim=self.claim)


def execute(job_id: UUID) -> State | None:
    """Do the job if it is due and nobody has it; returns the state it is in afterwards, None when there was nothing to do.

    Raises only what the database raises when the job can't be claimed, or its failure not be written: it is taken back then.
    """
    job = _claimed(job_id)
    if job is None:
        return None
    began = time.monotonic()
    told: dict[str, str | int] = {"hms.job_id": str(job.id), "hms.attempt": job.attempt, "hms.request_id": job.request_id}
    with entered(job.scope), naming(job_id=str(job.id), job_kind=job.kind):  # on each of its log lines
        with hooks.job(job.kind, **told) as said:
            state = _tried(job)
            said.ended(failed=state is not State.SUCCEEDED)
        if state is State.SUCCEEDED:
            logger.info("Job %s (%s) succeeded at attempt %d in %.3f s.", job.id, job.kind, job.attempt, time.monotonic() - began)
    return state


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


# --- Inside ------------------------------------------------------------------------------------------------------------------
def _claimed(job_id: UUID) -> Claimed | None:
    claim = uuid4()
    values: dict[str, Any] = {"id": job_id, "claim": claim, "worker": worker_name(), "lease": _lease()}
    with unit_of_work(Scope(reason="jobs")), connections["default"].cursor() as cursor:
        cursor.execute(CLAIM, values)
        row = cursor.fetchone()
    if row is None:
        return None
    kind, queue, clinic_id, payload, *others = row
    return Claimed(job_id, claim, kind, queue, clinic_id, json.loads(payload), *others)


def _tried(job: Claimed) -> State | None:
    """The state that the attempt left the job in; None when it was taken from this worker."""
    try:
        kind = kind_of(job.kind)
    except UnknownKind as error:
        return _failed(job, None, error)
    with Attempt(job) as attempt:
        try:
            _do(job, kind, attempt)
        except ClaimLost:
            logger.warning("Job %s was taken from this worker: nothing of the attempt is saved.", job.id)
            return None
        except Exception as error:  # a boundary: whatever a kind raises is the job's failure
            return _failed(job, kind, error)
    return State.SUCCEEDED


def _lease() -> timedelta:
    return timedelta(seconds=settings.HMS_JOB_LEASE)


def _do(job: Claimed, kind: JobKind, attempt: "Attempt") -> None:
    arguments = kind.arguments.read(job.payload)
    with _around(job, kind):
        kind.function(attempt, **arguments)
        if kind.within is not Within.NOTHING:
            _close(job, attempt.sentence)
    if kind.within is Within.NOTHING:
        with unit_of_work(job.scope):
            _close(job, attempt.sentence)


@contextmanager
def _around(job: Claimed, kind: JobKind) -> Iterator[None]:
    """The scope in which the kind is done, and its transaction if it has one."""
    reason = f"job {job.kind}"
    if kind.within is Within.CLINIC and job.clinic_id is not None:
        around: Any = clinic_scope(job.clinic_id, user_id=job.requested_by, reason=reason)
    elif kind.within is Within.PLATFORM:
        around = platform_scope(reason=reason, user_id=job.requested_by)
    else:
        around = nullcontext()
    with around:
        yield


def _close(job: Claimed, sentence: str) -> None:
    """The last statement of the attempt's transaction; what it said last stays.

    Raises ClaimLost when the job is not this worker's any more.
    """
    changes = {"state": State.SUCCEEDED, "claim": None, "lease_until": None, "progress": 100, "sentence": sentence, "cause": ""}
    if not job.row.update(**changes, finished_at=Now()):
        raise ClaimLost
    tell_who_began([job.ended(State.SUCCEEDED)])
    alias = router.db_for_write(Job)
    with connections[alias].cursor() as cursor:
        cursor.execute(FOLLOWERS, {"id": job.id})
        parcels = [Parcel(*row) for row in cursor.fetchall()]
    if parcels:
        transaction.on_commit(lambda: hand_over(parcels), using=alias, robust=True)


def _failed(job: Claimed, kind: JobKind | None, error: Exception) -> State | None:
    """Write down what became of it: tried again later, or not. None when it was taken from this worker meanwhile."""
    hopeless = kind is None or isinstance(error, (GiveUp, *kind.gives_up_on))
    changes: dict[str, Any] = {"claim": None, "lease_until": None, "cause": cause_of(error), "sent_at": None, "sends": 0}
    if hopeless or job.attempt >= job.attempts_allowed:
        changes |= {"state": State.FAILED if hopeless else State.DEAD, "finished_at": Now()}
    else:
        assert kind is not None  # noqa: S101  (else it is hopeless)
        changes |= {"state": State.RETRYING, "run_at": Now() + kind.pause_after(job.attempt)}
    fault = {} if _is_expected(error, kind) else {"fault": collector.note(error, surroundings())}
    logger.warning("Job %s (%s) failed at attempt %d: %s", job.id, job.kind, job.attempt, changes["cause"], extra=fault)
    with unit_of_work(job.scope):
        held = job.row.update(**changes)
        if held:
            tell_who_began([job.ended(changes["state"])])
    return changes["state"] if held else None


def _is_expected(error: Exception, kind: JobKind | None) -> bool:
    """What a kind gives up on, rules that refuse and a database that is away are no faults of the code."""
    given_up = kind.gives_up_on if kind else ()
    return isinstance(error, (GiveUp, DomainError, OperationalError, InterfaceError, *given_up))


def cause_of(error: BaseException) -> str:
    """What went wrong and where in our code; no word of what the error says, which may quote a value."""
    if isinstance(error, GiveUp):
        return error.cause[:300]
    kind = f"{type(error).__name__} {error.code}" if isinstance(error, DomainError) else type(error).__name__
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(settings.BASE_DIR))]
    own = [frame for frame in own if "site-packages" not in frame.filename] or own
    place = f" at {Path(own[-1].filename).relative_to(settings.BASE_DIR)}:{own[-1].lineno}" if own else ""
    return f"{kind}{place}"[:300]


class Attempt:
    """What the kind's function is given. A thread of its own, with a connection of its own, says meanwhile that it lives and how
    far it is; for a job that is done within a third of its lease and says nothing it needs no statement."""

    def __init__(self, job: Claimed) -> None:
        self.id, self.clinic_id, self.attempt = job.id, job.clinic_id, job.attempt
        self._job = job
        self._said: tuple[int, str] = (0, "")
        self._news, self._over, self._lost = threading.Event(), threading.Event(), threading.Event()
        self._until = time.monotonic() + QUEUES[job.queue].hard + GRACE
        self._thread = threading.Thread(target=self._live, name="hms-job-alive", daemon=True)

    @property
    def sentence(self) -> str:
        return self._said[1]

    def progress(self, percent: int, sentence: str = "") -> None:
        self._said = (min(max(percent, 0), 100), sentence[:200])
        self._news.set()
        if self._lost.is_set():
            raise ClaimLost

    def __enter__(self) -> "Attempt":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._news.set()
        self._thread.join()

    def _live(self) -> None:
        try:
            while not self._over.is_set() and time.monotonic() < self._until:
                self._news.wait(settings.HMS_JOB_LEASE / BEATS)
                self._news.clear()
                if self._over.is_set() or not self._tell():
                    return
                self._over.wait(SOON)
        finally:
            connections.close_all()

    def _tell(self) -> bool:
        """False when the job is somebody else's. Trouble of the database ends nothing: the lease says how long it may last."""
        percent, sentence = self._said
        values: dict[str, Any] = {
            "id": self.id,
            "claim": self._job.claim,
            "lease": _lease(),
            "progress": percent,
            "sentence": sentence,
        }
        try:
            with unit_of_work(Scope(reason="jobs")), connections["default"].cursor() as cursor:
                cursor.execute(ALIVE, values)
                held: bool = cursor.rowcount == 1
        except (DatabaseError, InterfaceError, DomainError) as error:
            logger.warning("Job %s could not say that it lives (%s).", self.id, type(error).__name__)
            return True
        if not held and not self._over.is_set():
            self._lost.set()
        return held
