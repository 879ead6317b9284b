"""The outbox: what happened, in the order in which it can be read without missing anything."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy.models import ClinicModel

OWN_TRANSACTION = "(pg_current_xact_id()::text)::bigint"


class DomainEvent(ClinicModel):
    """One event. Written by `announce` alone, never changed.

    `position` is given as the transaction commits (core.events.numbering): within a clinic it grows in the order in which events
    become visible, so whoever has read up to one never finds anything new below it. None: written while the triggers were off.

    `seq` is given as rows come, and committed in another order. Events about one record are in the order of both, because services
    lock what they change. `xid` is the transaction that wrote it.
    """

    subject_columns = ("data",)

    name = models.CharField(_("event"), max_length=60)
    schema = models.PositiveSmallIntegerField(_("version"), help_text=_("Of the event's fields."))
    about = models.CharField(_("about"), max_length=30)
    about_id = models.UUIDField(_("id"))
    data = models.JSONField(_("fields"), default=dict)
    at = models.DateTimeField(_("at"), default=timezone.now)
    xid = models.BigIntegerField(
        editable=False, db_default=models.Func(template=OWN_TRANSACTION, output_field=models.BigIntegerField())
    )
    seq = models.BigIntegerField(
        editable=False,
        db_default=models.Func(models.Value("core_domainevent_seq_seq"), function="nextval", output_field=models.BigIntegerField()),
    )

    position = models.BigIntegerField(_("position"), null=True, editable=False)

    class Meta(ClinicModel.Meta):
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes: ClassVar = [
            models.Index(fields=["clinic", "xid", "seq"], name="core_domainevent_replay"),
            models.Index(fields=["clinic", "at"], name="core_domainevent_by_time"),
            models.Index(fields=["clinic", "position"], name="core_domainevent_live", condition=models.Q(position__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.about_id}"

    @property
    def subject_id(self) -> UUID | None:
        """The patient whom it names, if it names one."""
        return UUID(self.data["patient"]) if "patient" in self.data else None


def newest_position() -> int:
    """Of the last event of the scope's clinic, 0 when it has none: what is announced from now on stands behind it. One query."""
    found: int | None = DomainEvent.objects.aggregate(newest=models.Max("position"))["newest"]
    return found or 0
