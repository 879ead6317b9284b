"""What the dashboard of jobs shows: how the queues stand, what runs, what waits, and the dead letters."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from core.accounts.actor import Actor
from core.jobs.kinds import UnknownKind, kind_of, known_kinds
from core.jobs.models import WAITING, Job, JobQuerySet, State
from core.jobs.queues import QUEUES, WorkerClass
from core.jobs.services import visible_jobs
from core.jobs.statistics import QueueStatistics, queue_statistics
from core.tenancy.models import Clinic

SHOWN = 30  # rows of each list


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Empty: every queue, every kind."""

    queue: str = ""
    kind: str = ""

    @classmethod
    def read(cls, queue: str | None, kind: str | None) -> "JobFilter":
        """What an address or a form says; what HMS doesn't know counts as not said."""
        return cls(queue if queue in QUEUES else "", kind if kind in known_kinds() else "")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the dashboard lists it. `clinic_name` is empty where all jobs are the reader's clinic's, or a job is of none."""

    job: Job
    label: str
    clinic_name: str


@dataclass(frozen=True, slots=True)
class JobList:
    """The first rows, and how many more there are."""

    rows: list[JobRow]
    more: int

    @property
    def count(self) -> int:
        return len(self.rows) + self.more


@dataclass(frozen=True, slots=True)
class ClassOfQueues:
    """The queues that one class of workers takes, as far as there is anything to say of them."""

    name: str
    queues: list[QueueStatistics]


@dataclass(frozen=True, slots=True)
class JobsOverview:
    """`total` adds up the queues; its waits are those of none."""

    total: QueueStatistics
    classes: list[ClassOfQueues]
    running: JobList
    waiting: JobList
    dead_letters: JobList


def as_far_as_seen(actor: Actor) -> Actor:
    """The platform's roles look at all jobs, whichever clinic they work in."""
    return replace(actor, clinic_id=None) if actor.is_platform else actor


def seen_statistics(actor: Actor) -> list[QueueStatistics]:
    """Every queue, of the jobs that this person may see. Raises NotAllowed. Two queries."""
    actor.require("job", "view")
    return queue_statistics(as_far_as_seen(actor).clinic_id)


def jobs_overview(*, actor: Actor, only: JobFilter) -> JobsOverview:
    """Raises NotAllowed. Eight queries; one more for the platform's roles, for the names of clinics."""
    queues = [one for one in seen_statistics(actor) if only.queue in ("", one.queue)]
    jobs = visible_jobs(as_far_as_seen(actor))
    jobs = jobs.filter(queue=only.queue) if only.queue else jobs
    jobs = jobs.filter(kind=only.kind) if only.kind else jobs
    lists = (
        jobs.filter(state=State.RUNNING).order_by("started_at"),
        jobs.filter(state__in=WAITING).order_by("run_at"),
        jobs.dead_letters().order_by("-pk"),
    )
    found = [(list(rows[:SHOWN]), _more(rows)) for rows in lists]
    names = _clinic_names(actor, (job.in_clinic for rows, _ in found for job in rows))
    made = [JobList([JobRow(job, _label(job.kind), names.get(job.in_clinic, "")) for job in rows], more) for rows, more in found]
    return JobsOverview(_total(queues), _by_class(queues), *made)


# --- Inside ------------------------------------------------------------------------------------------------------------------
def _more(rows: JobQuerySet) -> int:
    return max(rows.count() - SHOWN, 0)


def _label(kind: str) -> str:
    try:
        return str(kind_of(kind).label)
    except UnknownKind:  # of a version before this one
        return ""


def _clinic_names(actor: Actor, clinics: Iterable[UUID | None]) -> dict[UUID | None, str]:
    if not actor.is_platform:
        return {}
    return dict(Clinic.objects.filter(pk__in={one for one in clinics if one}).values_list("pk", "name"))


def _by_class(queues: list[QueueStatistics]) -> list[ClassOfQueues]:
    used = [one for one in queues if one.is_used]
    classes = [ClassOfQueues(name, [one for one in used if one.workers == name]) for name in (*WorkerClass, "")]
    return [one for one in classes if one.queues]


def _total(queues: list[QueueStatistics]) -> QueueStatistics:
    total = QueueStatistics("", "")
    for one in queues:
        for name in ("waiting", "later", "running", "dead_letters", "succeeded", "failed"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.oldest_s = max(total.oldest_s, one.oldest_s)
    return total
