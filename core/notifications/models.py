"""One row for each thing that one person is told in one clinic: ids and codes; the words are made when it is shown."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy.announcements import announces
from core.tenancy.ids import new_id


class NotificationQuerySet(models.QuerySet["Notification"]):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at=None)


@announces(notifications=["user_id"])
class Notification(models.Model):
    """Something happened that this person may want to know, here.

    Only they see it: whoever acts in the clinic may add rows for colleagues, and reads none of them. `once` is a code: of the
    same kind and code a person has only one at a time that they have not read.
    """

    table_kind = "personal"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    clinic = models.ForeignKey("core.Clinic", models.CASCADE, related_name="+", db_index=False, verbose_name=_("clinic"))
    user = models.ForeignKey("core.User", models.CASCADE, related_name="+", db_index=False, verbose_name=_("person"))
    kind = models.CharField(_("kind"), max_length=40)
    about_id = models.UUIDField(_("about"), null=True)
    details = models.JSONField(_("details"), default=dict, help_text=_("Ids, numbers, codes and dates."))
    once = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(_("told"), default=timezone.now)
    read_at = models.DateTimeField(_("read"), null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["clinic", "user", "kind", "once"],
                condition=Q(read_at=None) & ~Q(once=""),
                name="core_notification_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "clinic", "-id"], name="core_notification_own"),
            models.Index(fields=["clinic", "user"], name="core_notification_unread", condition=Q(read_at=None)),
            models.Index(fields=["created_at"], name="core_notification_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[-12:]}"
