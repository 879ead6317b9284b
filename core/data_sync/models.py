"""Where a clinic's changes are sent, and how far that has come."""

from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.history.keeping import keeps_history
from core.outbound.addresses import Guard
from core.outbound.rules import clean_url
from core.security.fields import EncryptedTextField
from core.tenancy.models import Record
from core.validators import Rules

NOTHING_UNDER_WAY: dict[str, Any] = {
    "run": None, "run_began": None, "run_full": False, "run_upto": 0, "run_feed": "", "run_after": None, "run_pages": 0,
    "run_rows": 0,
}  # fmt: skip
# What the sender notes while it works is no change of anybody's.
OF_THE_SENDER = [*NOTHING_UNDER_WAY, "after_position", "failures", "last_tried_at", "last_cause", "last_success_at", "last_rows"]


@keeps_history(secret=["secret"], without=OF_THE_SENDER)
class DataSync(Record):
    """A clinic's one receiver. `run` names the export that is under way: what follows stands at the page that was taken last."""

    url = models.CharField(_("address"), max_length=500, help_text=_("https://…, where changes are sent by POST every night."))
    secret = EncryptedTextField(editable=False)
    is_active = models.BooleanField(_("in use"), default=False)
    after_position = models.BigIntegerField(
        null=True, editable=False, help_text="The receiver knows every event up to this one. Empty: it knows nothing."
    )
    last_tried_at = models.DateTimeField(_("last tried"), null=True, editable=False)
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)
    last_rows = models.PositiveIntegerField(_("rows sent"), default=0, editable=False)
    last_cause = models.CharField(_("last cause of failure"), max_length=100, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    run = models.UUIDField(_("export under way"), null=True, editable=False)
    run_began = models.DateTimeField(_("begun"), null=True, editable=False)
    run_full = models.BooleanField(_("everything"), default=False, editable=False)
    run_upto = models.BigIntegerField(default=0, editable=False)
    run_feed = models.CharField(max_length=30, blank=True, editable=False)
    run_after = models.UUIDField(null=True, editable=False)
    run_pages = models.PositiveIntegerField(_("pages taken"), default=0, editable=False)
    run_rows = models.PositiveIntegerField(_("rows taken"), default=0, editable=False)

    class Meta(Record.Meta):
        verbose_name = _("data sync")
        verbose_name_plural = _("data sync")
        constraints: ClassVar = [models.UniqueConstraint(fields=["clinic"], name="core_datasync_one")]

    def __str__(self) -> str:
        return self.url

    def field_rules(self) -> Rules:
        return {"url": partial(clean_url, guard=Guard.of(settings.HMS_WEBHOOK_ALLOW))}
