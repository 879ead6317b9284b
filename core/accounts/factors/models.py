"""What a person proves themselves with besides the password, and codes that are good for once."""

import json
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.security.crypto import decrypt, encrypt
from core.tenancy.announcements import announces
from core.tenancy.ids import new_id

CONTEXT = "core_secondfactor:{}:{}"  # person, kind


@announces(second_factors=["user_id"])
class SecondFactor(models.Model):
    """One factor of one person. Its secret is encrypted, and bound to the person and the kind: moved, it can't be read."""

    table_kind = "personal"

    class Kind(models.TextChoices):
        APP = "app", _("Authenticator app")
        PASSKEY = "passkey", _("Passkey")
        CODE = "code", _("One-time code")
        RECOVERY = "recovery", _("Recovery codes")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=60, blank=True, help_text="What the person calls a passkey.")
    sealed = models.BinaryField(default=b"")
    last_counter = models.BigIntegerField(default=0, help_text="App: the time step of the last code, so that none is good twice.")
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "kind"], condition=~models.Q(kind="passkey"), name="core_secondfactor_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[-12:]}"

    @property
    def secret(self) -> dict[str, Any]:
        """What the kind needs. Raises Undecipherable."""
        found: dict[str, Any] = json.loads(decrypt(self.sealed, context=self._context))
        return found

    @secret.setter
    def secret(self, plain: dict[str, Any]) -> None:
        self.sealed = encrypt(json.dumps(plain).encode(), context=self._context)

    @property
    def _context(self) -> str:
        return CONTEXT.format(self.user_id, self.kind)


class OneTimeCode(models.Model):
    """A code that was sent. `key` and `digest` are keyed digests: neither whom it is for nor what it is can be read back."""

    table_kind = "platform"

    key = models.CharField(max_length=64, primary_key=True)
    digest = models.CharField(max_length=64)
    person_id = models.UUIDField(null=True, help_text="Empty: sent to nobody, because there is no such account.")
    tries = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("one-time code")
        verbose_name_plural = _("one-time codes")

    def __str__(self) -> str:
        return self.key[:12]
