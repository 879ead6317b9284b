"""What was done about backups: each that was made and each drill, also those that failed."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy.ids import new_id


class BackupRun(models.Model):
    """One attempt. Of no clinic's tables, and nothing of anybody stands here."""

    table_kind = "platform"

    class Kind(models.TextChoices):
        BACKUP = "backup", _("Backup")
        DRILL = "drill", _("Restore drill")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    succeeded = models.BooleanField(_("succeeded"))
    name = models.CharField(_("backup"), max_length=80, blank=True)
    taken_at = models.DateTimeField(_("as of"), null=True, help_text=_("What was committed before is in the backup."))
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), default=timezone.now)
    size = models.BigIntegerField(_("bytes"), default=0)
    rows = models.BigIntegerField(_("rows"), default=0)
    documents = models.PositiveIntegerField(_("documents"), default=0)
    cause = models.CharField(_("cause of the failure"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("backup or drill")
        verbose_name_plural = _("backups and drills")
        ordering: ClassVar = ["-finished_at"]
        indexes: ClassVar = [models.Index(fields=["kind", "-finished_at"], name="core_backuprun_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name or str(self.pk)[-12:]}"
