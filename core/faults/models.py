"""One row for each fault, however often it happens."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy.ids import new_id


class Fault(models.Model):
    """Nothing of a patient stands here: types, places, names of routes, and ids of clinics and requests."""

    table_kind = "platform"

    class Kind(models.TextChoices):
        WEB = "web", _("Request")
        JOB = "job", _("Job")
        COMMAND = "command", _("Command")
        BACKGROUND = "background", _("Background work")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        RESOLVED = "resolved", _("Resolved")
        IGNORED = "ignored", _("Ignored")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    fingerprint = models.CharField(_("fingerprint"), max_length=16, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, help_text=_("Where it happened first."))
    error = models.CharField(_("error"), max_length=300)
    place = models.CharField(_("place"), max_length=300)
    line = models.PositiveIntegerField(_("line"), default=0, help_text=_("The last time."))
    message = models.CharField(_("message"), max_length=300, blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    count = models.BigIntegerField(_("times"), default=1)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.OPEN)
    came_back = models.PositiveIntegerField(
        _("came back"), default=0, help_text=_("Times that it came again after it was resolved.")
    )
    changed_at = models.DateTimeField(_("judged"), null=True)
    changed_by = models.ForeignKey("core.User", models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    in_clinics = ArrayField(models.UUIDField(), verbose_name=_("clinics"), default=list, help_text=_("At most 50."))
    names = ArrayField(models.CharField(max_length=300), verbose_name=_("routes, jobs and commands"), default=list)
    request_ids = ArrayField(
        models.CharField(max_length=64), verbose_name=_("requests"), default=list, help_text=_("The last ten.")
    )

    class Meta:
        verbose_name = _("fault")
        verbose_name_plural = _("faults")
        ordering: ClassVar = ["-last_seen"]
        indexes: ClassVar = [models.Index(fields=["-last_seen"], name="core_fault_newest")]

    def __str__(self) -> str:
        return self.fingerprint
