"""What a clinic consists of: places, departments, rooms, providers, and its own rules."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinics import validators
from clinics.choices import ProviderKind, RoomKind
from clinics.querysets import InvitationQuerySet
from core.accounts.roles import CLINIC_ROLES, Role
from core.history.keeping import keeps_history
from core.tenancy.announcements import announces
from core.tenancy.models import ClinicForeignKey, Record, validate_time_zone
from core.tenancy.querysets import ClinicManager
from core.validators import Rules


@keeps_history()
@announces()
class ClinicSettings(Record):
    """A clinic's own rules. One row a clinic."""

    wait_warn_minutes = models.PositiveSmallIntegerField(
        _("wait turns amber after (minutes)"), default=15, validators=[MinValueValidator(1), MaxValueValidator(240)]
    )
    wait_late_minutes = models.PositiveSmallIntegerField(
        _("wait turns red after (minutes)"), default=30, validators=[MinValueValidator(1), MaxValueValidator(480)]
    )

    retention_years = models.PositiveSmallIntegerField(
        _("records are kept for (years)"), null=True, blank=True, default=10,
        validators=[MinValueValidator(1), MaxValueValidator(validators.LONGEST_RETENTION)],
        help_text=_("After the last visit; then they are anonymised. Empty: for ever."),
    )  # fmt: skip

    class Meta(Record.Meta):
        verbose_name = _("clinic settings")
        verbose_name_plural = _("clinic settings")
        constraints = [models.UniqueConstraint(fields=["clinic"], name="clinics_settings_once")]

    def field_rules(self) -> Rules:
        return validators.settings_rules("")


@keeps_history()
@announces()
class Location(Record):
    """A place where the clinic sees patients. It may lie in another time zone than the clinic."""

    name = models.CharField(_("name"), max_length=120)
    address = models.CharField(_("address"), max_length=300, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=63, blank=True, validators=[validate_time_zone], help_text=_("Empty: the clinic's.")
    )
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta(Record.Meta):
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["clinic", "name"], name="clinics_location_name_once")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return validators.location_rules(self.own_clinic().country)


@keeps_history()
@announces()
class Department(Record):
    """A part of the clinic, such as General practice; across locations."""

    name = models.CharField(_("name"), max_length=120)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta(Record.Meta):
        verbose_name = _("department")
        verbose_name_plural = _("departments")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["clinic", "name"], name="clinics_department_name_once")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return validators.department_rules("")


@keeps_history()
@announces()
class Room(Record):
    """A room of a location, in which one visit at a time takes place."""

    Kind = RoomKind

    location = ClinicForeignKey(Location, related_name="rooms", verbose_name=_("location"))
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.CONSULTING)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta(Record.Meta):
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["clinic", "location", "name"], name="clinics_room_name_once")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return validators.room_rules("")


def short_name(name: str) -> str:
    """“Dr Hale” for “Dr Ruth Hale”: what fits in a row."""
    parts = name.split()
    return f"{parts[0]} {parts[-1]}" if len(parts) > 2 else name


@keeps_history()
@announces()
class Provider(Record):
    """Somebody who sees patients: a doctor, nurse, therapist. Not everyone who works here, and not always a user."""

    Kind = ProviderKind

    name = models.CharField(_("name"), max_length=120, help_text=_("As patients know them: Dr Ruth Hale."))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.DOCTOR)
    department = ClinicForeignKey(Department, null=True, blank=True, related_name="providers", verbose_name=_("department"))
    user = models.ForeignKey(
        "core.User", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("user")
    )
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta(Record.Meta):
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["name"]
        indexes = [
            models.Index(fields=["clinic", "name"], name="clinics_provider_by_name"),
            models.Index(fields=["clinic", "user"], name="clinics_provider_by_user"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def short_name(self) -> str:
        return short_name(self.name)

    def field_rules(self) -> Rules:
        return validators.provider_rules("")


@keeps_history(secret=["secret_digest"])
class Invitation(Record):
    """Somebody is asked to work here, by a link in an e-mail. Open until it is accepted, withdrawn or too old."""

    email = models.EmailField(_("e-mail"), max_length=254)
    full_name = models.CharField(_("full name"), max_length=200, blank=True)
    roles = ArrayField(
        models.CharField(max_length=32, choices=[(role.value, role.label) for role in Role if role in CLINIC_ROLES]),
        verbose_name=_("roles"),
    )
    location_ids = ArrayField(
        models.UUIDField(), default=list, blank=True, verbose_name=_("locations"), help_text=_("Empty means every location.")
    )
    department = ClinicForeignKey(Department, null=True, blank=True, related_name="+", verbose_name=_("department"))
    invited_by = models.ForeignKey("core.User", models.PROTECT, related_name="+", db_index=False, verbose_name=_("invited by"))
    secret_digest = models.CharField(max_length=64, editable=False)
    expires_at = models.DateTimeField(_("valid until"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    accepted_by = models.ForeignKey(
        "core.User", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("accepted by")
    )
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    objects = ClinicManager.from_queryset(InvitationQuerySet)()  # type: ignore[assignment, misc]

    class Meta(Record.Meta):
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "email"],
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="clinics_invitation_open_once",
            ),
            models.UniqueConstraint(fields=["clinic", "secret_digest"], name="clinics_invitation_by_secret"),
        ]

    def is_open(self, now: datetime) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None and now < self.expires_at

    def field_rules(self) -> Rules:
        return validators.invitation_rules("")
