"""People, what they are in which clinic, and what HMS remembers of failed sign-ins."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.accounts.actor import Actor
from core.accounts.roles import CLINIC_ROLES, PLATFORM_ROLES, Role, acting
from core.history.keeping import keeps_history
from core.tenancy.announcements import announces
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic
from core.validators import Rules, clean_choice, clean_email, clean_name
from core.validators.models import RuledModel

KEY_DOMAIN = "api-key.invalid"  # of the accounts that API keys act as; RFC 2606: nothing is ever sent there


def normalise_email(email: str) -> str:
    return email.strip().casefold()


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normalise_email(username or ""))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=normalise_email(email), **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        fields.setdefault("full_name", email)
        return self.create_user(email, password, platform_role=Role.SUPER_ADMIN, **fields)


@keeps_history(secret=["password"], without=["last_login"])
@announces(user=["id"])
class User(RuledModel, AbstractBaseUser):
    """A person who signs in, by e-mail. What they may do comes from memberships, or from a platform role."""

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    full_name = models.CharField(_("full name"), max_length=200)
    platform_role = models.CharField(
        _("platform role"), max_length=32, blank=True, choices=[(r.value, r.label) for r in Role if r in PLATFORM_ROLES]
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["full_name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["full_name"]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = normalise_email(self.email)

    def field_rules(self) -> Rules:
        return {
            "email": partial(clean_email, required=True),
            "full_name": partial(clean_name, max_length=200, required=True),
            "platform_role": partial(clean_choice, choices=["", *PLATFORM_ROLES]),
        }

    @property
    def is_other_system(self) -> bool:
        """Is it an API key's (core.accounts.api_keys)? Such an account is closed for ever; nobody signs in to it."""
        return self.email.endswith(f"@{KEY_DOMAIN}")

    @property
    def initials(self) -> str:
        parts = self.full_name.split()
        return (parts[0][:1] + parts[-1][:1]).upper() if len(parts) > 1 else self.full_name[:2].upper()

    # What django.contrib.admin asks of a user; the answers of the permission matrix are in core.admin_site.
    @property
    def is_superuser(self) -> bool:
        return self.platform_role == Role.SUPER_ADMIN

    @property
    def is_staff(self) -> bool:
        return bool(self.platform_role)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_active and self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_superuser


@keeps_history()
@announces(across_clinics=True, memberships=["user_id"])
class Membership(models.Model):
    """A person in a clinic: roles, places of work, state. Personal: seen by the clinic and by the person."""

    table_kind = "personal"

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        LEFT = "left", _("Left")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False, verbose_name=_("clinic"))
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships", verbose_name=_("user"))
    roles = ArrayField(
        models.CharField(max_length=32, choices=[(r.value, r.label) for r in Role if r in CLINIC_ROLES]), verbose_name=_("roles")
    )
    location_ids = ArrayField(
        models.UUIDField(), default=list, blank=True, verbose_name=_("locations"), help_text=_("Empty means every location.")
    )
    department_id = models.UUIDField(_("department"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["clinic", "user"], name="core_membership_person_once")]

    def __str__(self) -> str:
        return f"{self.user_id} @ {self.clinic_id}"

    def as_actor(self, user: User) -> Actor:
        return Actor(
            user_id=user.pk,
            name=user.full_name,
            clinic_id=self.clinic_id,
            roles=acting(self.roles),
            location_ids=frozenset(self.location_ids),
            membership_id=self.pk,
        )


class SignInThrottle(models.Model):
    """Failed sign-ins of one account or one address. `key` is a keyed digest: neither can be read back."""

    table_kind = "platform"

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    last_failure_at = models.DateTimeField(db_default=Now())
    locked_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("sign-in throttle")
        verbose_name_plural = _("sign-in throttles")

    def __str__(self) -> str:
        return self.key[:12]

    @property
    def is_locked(self) -> bool:
        return self.locked_until is not None and self.locked_until > timezone.now()


def user_by_id(user_id: UUID) -> User | None:
    """The active user, or None. One query."""
    return User.objects.filter(pk=user_id, is_active=True).first()
