"""Where a clinic's events are sent, and what became of each."""

from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.events.catalogue import catalogue
from core.history.keeping import keeps_history
from core.outbound.addresses import Guard
from core.outbound.rules import clean_url
from core.security.fields import EncryptedTextField
from core.tenancy.announcements import announces
from core.tenancy.models import ClinicForeignKey, ClinicModel, Record
from core.validators import Rules, clean_name

TRIED_FOR = timedelta(days=3)  # from the first try on; afterwards a delivery has failed
PING = "webhook.ping"

# What the sender notes while it works is no change of anybody's.
OF_THE_SENDER = ["after_position", "failures", "failing_since", "rests_until"]


def last_try() -> datetime:
    return timezone.now() + TRIED_FOR


# The sender's own notes tell caches nothing: else each event would make stale what the next one asks.
@announces(only=["events", "is_active"])
@keeps_history(secret=["secret", "old_secret"], without=OF_THE_SENDER)
class WebhookEndpoint(Record):
    """One address of an integrator, and which events it is told. `old_secret` signs too until `old_secret_until`."""

    name = models.CharField(_("name"), max_length=80)
    url = models.CharField(_("address"), max_length=500, help_text=_("https://…, where events are sent by POST."))
    events = ArrayField(models.CharField(max_length=60), verbose_name=_("events"))
    secret = EncryptedTextField(editable=False)
    old_secret = EncryptedTextField(editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    is_active = models.BooleanField(_("in use"), default=True)
    disabled_at = models.DateTimeField(_("switched off by HMS"), null=True, editable=False)
    disabled_why = models.CharField(_("why"), max_length=100, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    rests_until = models.DateTimeField(_("left alone until"), null=True, editable=False)
    after_position = models.BigIntegerField(
        db_default=0, editable=False, help_text="Every event up to this one has been looked at for it."
    )

    class Meta(Record.Meta):
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints: ClassVar = [models.UniqueConstraint(fields=["clinic", "name"], name="core_webhookendpoint_name")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        guard = Guard.of(settings.HMS_WEBHOOK_ALLOW)
        return {"name": partial(clean_name, max_length=80, required=True), "url": partial(clean_url, guard=guard)}

    @property
    def live_secrets(self) -> list[str]:
        """Those that sign now, the newest first."""
        has_old = self.old_secret and self.old_secret_until is not None and self.old_secret_until > timezone.now()
        return [self.secret, self.old_secret] if has_old else [self.secret]


class WebhookDelivery(ClinicModel):
    """One event for one endpoint. What is sent is made of the event anew at each try; nothing of it is kept here.

    While it is `sending`, `due_at` is when somebody else may take it, should its sender have died.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Being sent")
        SUCCEEDED = "succeeded", _("Taken")
        FAILED = "failed", _("Given up")

    subject_columns = ("name", "about_id")

    endpoint = ClinicForeignKey(WebhookEndpoint, related_name="deliveries", verbose_name=_("webhook"))
    event_id = models.UUIDField(_("event’s id"))
    name = models.CharField(_("event"), max_length=60)
    about_id = models.UUIDField(_("about"))
    seq = models.BigIntegerField(editable=False)
    happened_at = models.DateTimeField(_("happened"))
    is_replay = models.BooleanField(_("again"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    status = models.PositiveSmallIntegerField(_("status"), null=True, help_text=_("Of the last answer."))
    cause = models.CharField(_("cause"), max_length=60, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    expires_at = models.DateTimeField(_("tried until"), default=last_try)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    taken_at = models.DateTimeField(_("taken"), null=True)

    class Meta(ClinicModel.Meta):
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["clinic", "endpoint", "event_id"], condition=models.Q(is_replay=False), name="core_webhookdelivery_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["clinic", "endpoint", "created_at"], name="core_webhookdelivery_list"),
            models.Index(
                fields=["clinic", "endpoint", "about_id", "seq"],
                name="core_webhookdelivery_open",
                condition=models.Q(state__in=["waiting", "sending"]),
            ),
            models.Index(
                fields=["clinic", "endpoint", "seq", "id"],
                name="core_webhookdelivery_next",
                condition=models.Q(state__in=["waiting", "sending"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.about_id}"

    @property
    def subject_id(self) -> UUID | None:
        """The patient, where the event is about a patient's own record."""
        told = catalogue().get(self.name)
        return self.about_id if told is not None and told.about == "patient" else None
