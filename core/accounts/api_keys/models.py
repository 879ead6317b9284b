"""The keys with which other systems ask the API."""

from functools import partial
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.accounts.models import User
from core.history.keeping import keeps_history
from core.tenancy.announcements import announces
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic
from core.validators import Rules, clean_name
from core.validators.models import RuledModel


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self) -> "ApiKeyQuerySet":
        """Those that can be used now."""
        return self.filter(ended_at=None, expires_at__gt=timezone.now())

    def over(self) -> "ApiKeyQuerySet":
        """Those that can't be used any more."""
        return self.exclude(ended_at=None, expires_at__gt=timezone.now())


@keeps_history(secret=["digest"], without=["last_used_at", "last_used_from"])
@announces(across_clinics=True, api_key=["user_id"])
class ApiKey(RuledModel):
    """One other system in one clinic. It acts as `user`, an account made for it, closed and without a password, that bears its
    name: so history, access log and limits know it as they know people.

    Personal: seen by the clinic, and by itself when it says who it is. The key is nowhere kept, only its digest.
    """

    table_kind = "personal"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False, verbose_name=_("clinic"))
    user = models.OneToOneField(User, models.PROTECT, related_name="+", verbose_name=_("account"))
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(_("key"), max_length=64)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("what it may do"))
    made_at = models.DateTimeField(_("made"), default=timezone.now)
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("made by"),
        help_text=_("Empty: an operator, by command."),
    )  # fmt: skip
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    last_used_from = models.CharField(_("from"), max_length=64, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("ended by"))

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering: ClassVar = ["-made_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["clinic", "name"], condition=models.Q(ended_at=None), name="core_apikey_name_once_in_use"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["clinic", "-made_at"], name="core_apikey_of_clinic")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return {"name": partial(clean_name, max_length=80, required=True)}

    @property
    def is_live(self) -> bool:
        return self.ended_at is None and self.expires_at > timezone.now()
