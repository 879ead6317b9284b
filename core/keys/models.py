"""A clinic's keys, each wrapped by the deployment's key ring."""

from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.security.crypto import decrypt, encrypt
from core.tenancy.announcements import announces
from core.tenancy.models import ClinicModel
from core.validators import Rules


@announces()
class ClinicKey(ClinicModel):
    """One key of one clinic. Its secret stands here encrypted, and is of use only together with `HMS_ENCRYPTION_KEYS`.

    A retired key stays: it opens what old backups hold. The application may add keys and read them, never change them.
    """

    class Kind(models.TextChoices):
        DATA = "data", _("Data")
        SEARCH = "search", _("Search")

    class State(models.TextChoices):
        BUILDING = "building", _("Being built")  # search: tokens are written under it, nobody searches by it yet
        ACTIVE = "active", _("In use")
        RETIRING = "retiring", _("Being replaced")  # values or tokens under it may be left
        DROPPING = "dropping", _("Being removed")  # search: nobody searches or writes by it, its tokens are being removed
        RETIRED = "retired", _("Retired")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind, editable=False)
    number = models.PositiveSmallIntegerField(_("number"), editable=False)
    wrapped = models.BinaryField(editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ACTIVE, editable=False)
    made_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    retired_at = models.DateTimeField(_("retired"), null=True, editable=False)

    class Meta(ClinicModel.Meta):
        verbose_name = _("clinic key")
        verbose_name_plural = _("clinic keys")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "kind", "number"], name="core_clinickey_once"),
            models.UniqueConstraint(
                fields=["clinic", "kind"], condition=models.Q(state="active"), name="core_clinickey_one_active"
            ),
        ]

    def field_rules(self) -> Rules:
        return {}


def wrapped(secret: bytes, clinic_id: UUID, kind: str, number: int) -> bytes:
    """The secret under the deployment's first key, bound to its row."""
    return encrypt(secret, context=_place(clinic_id, kind, number))


def unwrapped(sealed: Any, clinic_id: UUID, kind: str, number: int) -> bytes:
    """The secret. Raises Undecipherable without the deployment's key, or in the place of another row."""
    return decrypt(sealed, context=_place(clinic_id, kind, number))


def _place(clinic_id: UUID, kind: str, number: int) -> str:
    return f"core_clinickey.{clinic_id}.{kind}.{number}"
