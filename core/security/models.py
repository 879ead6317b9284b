"""What HMS remembers of attacks: events by the minute, how an address stands, which networks are blocked."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy.announcements import announces
from core.tenancy.ids import new_id


class SecurityEvent(models.Model):
    """What one address did of one kind within one minute. Never what was sent, only which rules it met, and the route's pattern."""

    table_kind = "platform"

    class Kind(models.TextChoices):
        PATTERN = "pattern", _("Attack pattern")
        DECOY = "decoy", _("Decoy asked for")
        MALFORMED = "malformed", _("Malformed request")
        SIGN_IN_FAILED = "sign_in_failed", _("Sign-in failed")
        SIGN_IN_LOCKED = "sign_in_locked", _("Sign-in while locked")
        TOKEN_REFUSED = "token_refused", _("Forged token")
        TOKEN_REUSED = "token_reused", _("Refresh token used twice")
        RATE_LIMITED = "rate_limited", _("Over a rate limit")
        BLOCKED = "blocked", _("Address blocked")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    address = models.CharField(_("address"), max_length=64, blank=True, help_text=_("Empty: many addresses at once."))
    minute = models.DateTimeField(_("minute"))
    count = models.PositiveIntegerField(_("times"), default=1)
    points = models.PositiveIntegerField(_("points"), default=0)
    matched = ArrayField(models.CharField(max_length=40), verbose_name=_("rules"), default=list)
    route = models.CharField(_("route"), max_length=200, blank=True)
    person_id = models.UUIDField(_("person"), null=True)
    in_clinic = models.UUIDField(_("clinic"), null=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["minute", "address", "kind"], name="core_securityevent_minute"),
        ]
        indexes: ClassVar = [models.Index(fields=["address", "minute"], name="core_securityevent_address")]

    def __str__(self) -> str:
        return f"{self.kind} {self.minute:%Y-%m-%d %H:%M}"


class AddressStanding(models.Model):
    """How one address (IPv6: its /64) stands: points that decay, blocks it had, and when somebody last signed in from there."""

    table_kind = "platform"

    network = models.CharField(max_length=64, primary_key=True)
    points = models.FloatField(default=0)
    points_at = models.DateTimeField()
    blocks = models.PositiveSmallIntegerField(default=0)
    blocked_at = models.DateTimeField(null=True)
    signed_in_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("address standing")
        verbose_name_plural = _("address standings")
        indexes: ClassVar = [models.Index(fields=["points_at"], name="core_addressstanding_age")]

    def __str__(self) -> str:
        return self.network


@announces(address_block=["id"])
class AddressBlock(models.Model):
    """A network that is refused for a time, by whom and why. Lifted blocks stay as a record."""

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    network = models.CharField(_("network"), max_length=64, help_text=_("An address, or a network such as 203.0.113.0/24."))
    until = models.DateTimeField(_("until"))
    strangers_only = models.BooleanField(
        _("strangers only"), default=False, help_text=_("Who is signed in may go on working; nobody can sign in anew.")
    )
    reason = models.CharField(_("reason"), max_length=200)
    automatic = models.BooleanField(_("automatic"), default=False)
    made_at = models.DateTimeField(_("blocked"), default=timezone.now)
    made_by = models.ForeignKey("core.User", models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    lifted_by = models.ForeignKey("core.User", models.PROTECT, null=True, related_name="+", verbose_name=_("lifted by"))

    class Meta:
        verbose_name = _("blocked address")
        verbose_name_plural = _("blocked addresses")
        ordering: ClassVar = ["-made_at"]
        indexes: ClassVar = [models.Index(fields=["until"], name="core_addressblock_until")]

    def __str__(self) -> str:
        return self.network

    @property
    def holds(self) -> bool:
        return self.lifted_at is None and self.until > timezone.now()
