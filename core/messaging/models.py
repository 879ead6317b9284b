"""What HMS has to tell somebody outside of its pages: the message on its way, and what a clinic keeps of those to its patients."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.anonymity import anonymised
from core.history.keeping import keeps_history
from core.security.fields import EncryptedTextField
from core.tenancy.announcements import announces
from core.tenancy.ids import new_id
from core.tenancy.models import ClinicModel


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
    REMINDER = "reminder", _("Reminder of a visit")


class State(models.TextChoices):
    """How far a message has come. A receipt of the gateway moves it on, never back (`core.messaging.progress`)."""

    WAITING = "waiting", _("Waiting")
    UNKNOWN = "unknown", _("Unknown")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")


class OutgoingMessage(models.Model):
    """One message. Whom it goes to and what it says are encrypted; hms_app may only add rows, hms_platform sends them.

    `unknown` is also the state while a message is being handed over: when the process dies just then, nobody can say.
    """

    table_kind = "platform"
    State = State

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    to_digest = models.CharField(max_length=64, help_text="Keyed digest of the first address: to look up, not to read.")
    digests = ArrayField(models.CharField(max_length=64), default=list, help_text="The same of all its addresses.")
    addresses = EncryptedTextField(help_text="JSON: the address for each channel.")
    subject = EncryptedTextField()
    text = EncryptedTextField()
    contents = EncryptedTextField(help_text="JSON: what each channel is to say. Empty: subject and text, by every channel.")
    channels = ArrayField(models.CharField(max_length=10, choices=Channel), default=list, help_text="In the order of trying.")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    channel = models.CharField(max_length=10, choices=Channel, blank=True, help_text="The last one tried.")
    attempts = models.PositiveSmallIntegerField(default=0)
    cause = models.CharField(max_length=200, blank=True, help_text="Why it failed, by channel; never an address or a word of it.")
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    wipe_at = models.DateTimeField(null=True, help_text="From then on it is of no use. Empty: no such moment, or wiped already.")
    tried_at = models.DateTimeField(null=True)
    reported_at = models.DateTimeField(null=True, help_text="When the gateway last said what became of it.")

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="core_outgoing_due", condition=models.Q(state="waiting")),
            models.Index(fields=["wipe_at"], name="core_outgoing_wipe", condition=models.Q(wipe_at__isnull=False)),
            models.Index(fields=["to_digest", "created_at"], name="core_outgoing_to"),
            models.Index(fields=["created_at"], name="core_outgoing_age"),
            GinIndex(fields=["digests"], name="core_outgoing_digests"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[-12:]}"


@anonymised(
    keep=[
        "patient_id", "kind", "template", "language", "channels", "channel", "state", "cause", "about_id", "about_at", "due_at",
        "sent_at", "reported_at", "written_at",
    ],
    blank=["words"],
)  # fmt: skip
@announces(patient_messages=["patient_id"])
class PatientMessage(ClinicModel):
    """What a clinic told a patient: what, when, by which channel, and what became of it. Its id is the outgoing message's.

    The clinic reads it; who sends moves it on as hms_platform, column by column. The outgoing message is the platform's, knows
    neither patient nor clinic and is wiped when it has arrived; this row stays, with the words under the clinic's own key and
    without links. The patient is an id without a reference, as in the access log.
    """

    subject_path = "patient_id"

    patient_id = models.UUIDField()
    kind = models.CharField(_("about"), max_length=20, choices=Kind)
    template = models.CharField(max_length=40)
    language = models.CharField(_("language"), max_length=16)
    about_id = models.UUIDField(null=True, help_text="The visit it is about.")
    about_at = models.DateTimeField(null=True, help_text="When that visit was to begin as the message says.")
    channels = ArrayField(
        models.CharField(max_length=10, choices=Channel),
        default=list,
        help_text="In the order of trying.",
        verbose_name=_("channels"),
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, blank=True, help_text="The last one tried.")
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    cause = models.CharField(
        _("cause"), max_length=200, blank=True, help_text="Codes, by channel; never an address or a word of it."
    )
    words = EncryptedTextField(_("words"), help_text="What it said, with dots in place of links.")
    written_at = models.DateTimeField(_("written"), default=timezone.now)
    due_at = models.DateTimeField(_("not before"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True)
    reported_at = models.DateTimeField(_("last receipt"), null=True)

    class Meta(ClinicModel.Meta):
        verbose_name = _("message to a patient")
        verbose_name_plural = _("messages to patients")
        indexes: ClassVar = [models.Index(fields=["clinic", "patient_id", "id"], name="core_patientmessage_of")]


class SuppressionReason(models.TextChoices):
    BOUNCE = "bounce", _("The address can’t be reached")
    STOP = "stop", _("The person answered STOP")


@keeps_history()
@announces()
class Suppression(ClinicModel):
    """An address to which this clinic sends nothing by this channel until it is lifted. Known by its keyed digest alone."""

    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    digest = models.CharField(max_length=64)
    reason = models.CharField(_("reason"), max_length=10, choices=SuppressionReason)
    since = models.DateTimeField(_("since"), default=timezone.now)
    lifted_at = models.DateTimeField(_("lifted"), null=True)

    class Meta(ClinicModel.Meta):
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["clinic", "channel", "digest"], condition=models.Q(lifted_at=None), name="core_suppression_once"
            )
        ]
