"""One row for each process that works on jobs, as long as it lives and a little longer when it was killed."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy.ids import new_id


class WorkerProcess(models.Model):
    """A process of a worker, or a clock (of no class). Written by itself, taken away when it ends.

    `machine` tells where its process id means something: the host's name and the container's. Figures count from its start.
    """

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(_("worker"), max_length=100)
    machine = models.CharField(_("machine"), max_length=100)
    pid = models.PositiveIntegerField(_("process"))
    classes = ArrayField(models.CharField(max_length=10), default=list, verbose_name=_("classes"))
    version = models.CharField(_("version of the code"), max_length=12)
    started_at = models.DateTimeField(_("started"))
    beat_at = models.DateTimeField(_("last sign of life"))
    idle_parent = models.FloatField(
        _("seconds without a parent"), default=0, help_text=_("How long Celery, which hands it jobs, had stood still.")
    )
    resident = models.BigIntegerField(_("bytes of memory"))
    parent_resident = models.BigIntegerField(_("bytes of Celery's memory"), default=0)
    succeeded = models.PositiveIntegerField(_("jobs that succeeded"), default=0)
    failed = models.PositiveIntegerField(_("attempts that failed"), default=0)
    busy = models.FloatField(_("seconds in jobs"), default=0)

    class Meta:
        verbose_name = _("process of a worker")
        verbose_name_plural = _("processes of workers")
        ordering: ClassVar = ["name", "pid"]
        indexes: ClassVar = [models.Index(fields=["beat_at"], name="core_workerprocess_beat")]

    def __str__(self) -> str:
        return f"{self.name} {self.pid}"
