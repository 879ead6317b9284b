"""The tenant, and what every table of a clinic has."""

import zoneinfo
from functools import cache, partial
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _

from core.errors import ClinicScopeRequired
from core.history.keeping import keeps_history
from core.security.limiting.rates import validate_rate
from core.tenancy.announcements import announces
from core.tenancy.context import current_clinic_id, current_scope
from core.tenancy.ids import new_id
from core.tenancy.protection import clean_marks
from core.tenancy.querysets import ClinicManager, ClinicQuerySet
from core.validators import (
    Rules,
    clean_choice,
    clean_country,
    clean_currency,
    clean_language,
    clean_mrn_prefix,
    clean_name,
    clean_slug,
    clean_time_zone,
    clean_whole_number,
)
from core.validators.models import RuledModel

SHORTEST_ACCESS, LONGEST_ACCESS = 15, 240  # minutes of an emergency access, as a clinic may set them


def validate_time_zone(name: str) -> None:
    """A name of the IANA time zone database, such as Europe/London."""
    clean_time_zone(name, required=True)


def _clean_locale(value: Any) -> str:
    """A language tag as Django writes it: en-gb."""
    return clean_language(value).lower()


def own_rate(label: Any, variable: str) -> "models.CharField[str, str]":
    """A limit of the clinic's own in place of the installation's (core.security.limiting); empty for none."""
    words = f"Like 600/m or 60/m,1000/h. Empty: the installation's ({variable})."
    return models.CharField(
        label, max_length=40, blank=True, default="", db_default="", validators=[validate_rate], help_text=words
    )


@keeps_history(clinic="id")
@announces(clinic=["id"])
class Clinic(RuledModel):
    """A tenant: one group practice with its own patients, people and data. A platform table."""

    table_kind = "platform"

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(_("slug"), max_length=63, unique=True, help_text=_("Also the subdomain. Lower case, digits, dashes."))
    name = models.CharField(_("name"), max_length=200)
    time_zone = models.CharField(_("time zone"), max_length=63, validators=[validate_time_zone])
    locale = models.CharField(_("locale"), max_length=16, default="en-gb")
    country = models.CharField(_("country"), max_length=2, help_text=_("ISO 3166-1 code; reads phone numbers written without +."))
    currency = models.CharField(_("currency"), max_length=3, help_text=_("ISO 4217 code."))
    mrn_prefix = models.CharField(_("MRN prefix"), max_length=6, help_text=_("Stands before every medical record number."))
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.ACTIVE)
    rate_user = own_rate(_("requests of one person"), "HMS_RATE_USER")
    rate_upload = own_rate(_("uploads of one person"), "HMS_RATE_UPLOAD")
    rate_heavy = own_rate(_("heavy requests of one person"), "HMS_RATE_HEAVY")
    second_factor_roles = ArrayField(
        models.CharField(max_length=32),
        verbose_name=_("second factor required of"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Who has such a role sets up a second factor at the next sign-in, before anything else."),
    )
    break_glass_minutes = models.PositiveSmallIntegerField(
        _("emergency access lasts (minutes)"),
        default=60,
        db_default=60,
        validators=[MinValueValidator(SHORTEST_ACCESS), MaxValueValidator(LONGEST_ACCESS)],
        help_text=_("How long a restricted record stays open to somebody who said why: 15 to 240."),
    )
    protected_fields = ArrayField(
        models.CharField(max_length=64),
        verbose_name=_("protected fields"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Encrypted in the database for this clinic, beside those that always are."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("clinic")
        verbose_name_plural = _("clinics")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    def field_rules(self) -> Rules:
        return {
            "slug": clean_slug,
            "name": partial(clean_name, max_length=200, required=True),
            "time_zone": partial(clean_time_zone, required=True),
            "locale": _clean_locale,
            "country": partial(clean_country, required=True),
            "currency": clean_currency,
            "mrn_prefix": clean_mrn_prefix,
            "state": partial(clean_choice, choices=self.State.values),
            "break_glass_minutes": partial(clean_whole_number, least=SHORTEST_ACCESS, most=LONGEST_ACCESS),
            "protected_fields": clean_marks,
        }


class ClinicForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A reference between two tables of a clinic.

    The database holds it by a composite constraint `(clinic_id, x_id) -> (clinic_id, id)` that the migration operation
    `ClinicTable` adds; so Django's own constraint and its index without clinic_id are off.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs.setdefault("db_constraint", False)
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)


@cache
def _labels(field: "models.Field[Any, Any]") -> dict[Any, Any]:
    """The words of a field's choices, by their values."""
    return dict(field.flatchoices)


class ClinicModel(RuledModel):
    """A row of one clinic. Reads are scoped and fail closed; the clinic is filled from the scope and can't change.

    Its migration names `core.tenancy.operations.ClinicTable`, which adds row-level security, `UNIQUE (clinic_id, id)`
    and the composite foreign keys.
    """

    table_kind = "clinic"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", editable=False, db_index=False, verbose_name=_("clinic"))

    objects = ClinicManager.from_queryset(ClinicQuerySet)()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {str(self.pk)[-12:]}"

    def _get_FIELD_display(self, field: "models.Field[Any, Any]") -> Any:  # noqa: N802  (Django's name)
        """As Django's own, which puts the choices into a new table at each call and translates all of them to do so."""
        value = getattr(self, field.attname)
        return force_str(_labels(field).get(value, value), strings_only=True)

    def own_clinic(self) -> Clinic:
        """The row's clinic, or the scope's before the row has one. One query unless it was read already."""
        return self.clinic if self.clinic_id else Clinic.objects.get(pk=current_clinic_id())

    def save(self, *args: Any, **kwargs: Any) -> None:
        scope = current_scope()
        if scope is None or not (scope.platform or scope.clinic_id):
            raise ClinicScopeRequired(f"{type(self).__name__} was saved outside of a clinic scope.")
        if self.clinic_id is None and scope.clinic_id:
            self.clinic_id = scope.clinic_id
        super().save(*args, **kwargs)


class Record(ClinicModel):
    """A clinic's row that people edit: it knows when it was made and changed, and counts its versions (for If-Match)."""

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta(ClinicModel.Meta):
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.version += 1
            if (fields := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*fields, "version", "updated_at"}
        super().save(*args, **kwargs)
