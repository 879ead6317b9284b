"""What HMS has to tell somebody outside of its pages, kept until it is known what became of it."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.security.fields import EncryptedTextField
from core.tenancy.ids import new_id


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("Text message (SMS)")
    WHATSAPP = "whatsapp", _("WhatsApp")


class Kind(models.TextChoices):
    """What a message is about. The rule of each kind is in `core.messaging.services`."""

    CODE = "code", _("One-time code")
    NEW_PASSWORD = "new_password", _("Link to a new password")
    NOTICE = "notice", _("Notice about the account")
    INVITATION = "invitation", _("Invitation to a clinic")
    BREAK_GLASS = "break_glass", _("Emergency access to a restricted record")


class OutgoingMessage(models.Model):
    """One message. Whom it goes to and what it says are encrypted; hms_app may only add rows, hms_platform sends them.

    `unknown` is also the state while a message is being handed over: when the process dies just then, nobody can say.
    """

    table_kind = "platform"

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    to_digest = models.CharField(max_length=64, help_text="Keyed digest of the first address: to look up, not to read.")
    addresses = EncryptedTextField(help_text="JSON: the address for each channel.")
    subject = EncryptedTextField()
    text = EncryptedTextField()
    channels = ArrayField(models.CharField(max_length=10, choices=Channel), default=list, help_text="In the order of trying.")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    channel = models.CharField(max_length=10, choices=Channel, blank=True, help_text="The last one tried.")
    attempts = models.PositiveSmallIntegerField(default=0)
    cause = models.CharField(max_length=200, blank=True, help_text="Why it failed, by channel; never an address or a word of it.")
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    wipe_at = models.DateTimeField(null=True, help_text="From then on it is of no use. Empty: no such moment, or wiped already.")
    tried_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="core_outgoing_due", condition=models.Q(state="waiting")),
            models.Index(fields=["wipe_at"], name="core_outgoing_wipe", condition=models.Q(wipe_at__isnull=False)),
            models.Index(fields=["to_digest", "created_at"], name="core_outgoing_to"),
            models.Index(fields=["created_at"], name="core_outgoing_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[-12:]}"
