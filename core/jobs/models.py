"""The ledger: one row for each job, from its being wanted until it is forgotten."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.jobs.queues import WorkerClass, queue_choices
from core.tenancy.ids import new_id


class State(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    RETRYING = "retrying", _("Waits to be tried again")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed: another try would not help")
    DEAD = "dead", _("Dead: failed at every try")
    CANCELLED = "cancelled", _("Cancelled")


WAITING = (State.QUEUED, State.RETRYING)
LIVE = (*WAITING, State.RUNNING)
DEAD_LETTERS = (State.FAILED, State.DEAD)
OVER = (State.SUCCEEDED, *DEAD_LETTERS, State.CANCELLED)


class JobQuerySet(models.QuerySet["Job"]):
    def waiting(self) -> "JobQuerySet":
        return self.filter(state__in=WAITING)

    def dead_letters(self) -> "JobQuerySet":
        """Those that nobody will try again by himself."""
        return self.filter(state__in=DEAD_LETTERS)


class Job(models.Model):
    """One job. `claim` names the attempt that runs: who doesn't hold it can neither report on the job nor close it.

    Of no clinic's tables: the clinic is an id without a reference, and nothing of anybody stands here.
    """

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(_("kind"), max_length=60)
    queue = models.CharField(_("queue"), max_length=30, choices=queue_choices)
    workers = models.CharField(_("class of workers"), max_length=10, choices=[(one.value, one.value) for one in WorkerClass])
    priority = models.PositiveSmallIntegerField(_("priority"), validators=[MaxValueValidator(9)], help_text=_("0 is first."))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    in_clinic = models.UUIDField(_("clinic"), null=True)
    payload = models.JSONField(_("payload"), default=dict, help_text=_("Ids, numbers, codes and dates."))
    dedupe_key = models.CharField(_("key"), max_length=100, blank=True, help_text=_("Of one key only one job is live."))
    after = ArrayField(models.UUIDField(), default=list, verbose_name=_("after"), help_text=_("Jobs that must have succeeded."))
    run_at = models.DateTimeField(_("due"), default=timezone.now)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    attempts_allowed = models.PositiveSmallIntegerField(_("attempts allowed"))
    claim = models.UUIDField(_("attempt that runs"), null=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    lease_until = models.DateTimeField(
        _("alive until"), null=True, help_text=_("Its worker says again and again that it lives; after this moment it doesn't.")
    )
    progress = models.PositiveSmallIntegerField(_("percent done"), default=0)
    sentence = models.CharField(_("progress"), max_length=200, blank=True)
    cause = models.CharField(_("cause of the last failure"), max_length=300, blank=True)
    sent_at = models.DateTimeField(_("handed over"), null=True)
    sends = models.PositiveSmallIntegerField(_("times handed over"), default=0)
    requested_by = models.UUIDField(_("requested by"), null=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "in_clinic", "dedupe_key"], nulls_distinct=False, name="core_job_once_live",
                condition=models.Q(state__in=LIVE) & ~models.Q(dedupe_key=""),
            ),
            models.CheckConstraint(
                condition=models.Q(state=State.RUNNING, claim__isnull=False, lease_until__isnull=False)
                | (~models.Q(state=State.RUNNING) & models.Q(claim__isnull=True)),
                name="core_job_running_is_claimed",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(fields=["run_at"], name="core_job_due", condition=models.Q(state__in=WAITING)),
            models.Index(fields=["lease_until"], name="core_job_lease", condition=models.Q(state=State.RUNNING)),
            models.Index(fields=["state", "id"], name="core_job_state", condition=~models.Q(state=State.SUCCEEDED)),
            models.Index(fields=["finished_at"], name="core_job_finished"),
            GinIndex(fields=["after"], name="core_job_after", condition=~models.Q(after=[])),
            models.Index(fields=["in_clinic", "-id"], name="core_job_of_clinic"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[-12:]}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class ScheduleMark(models.Model):
    """Up to which moment an entry of the schedule has been followed. Who moves it on enqueues the entry's jobs."""

    table_kind = "platform"

    entry = models.CharField(primary_key=True, max_length=120)
    moment = models.DateTimeField()

    class Meta:
        verbose_name = _("mark of the schedule")
        verbose_name_plural = _("marks of the schedule")

    def __str__(self) -> str:
        return self.entry
