"""The access log's tables: who read whose data. Written once, in batches; never changed, dropped by whole months."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.anonymity import anonymised
from core.audit.partitions import oldest_kept
from core.audit.subjects import Reading
from core.history.sealed import Dropped, sealed
from core.tenancy.models import Clinic
from core.tenancy.querysets import ClinicManager, ClinicQuerySet

READINGS = {
    Reading.VIEW: _("looked at"),
    Reading.LIST: _("in a list"),
    Reading.SEARCH: _("in a search"),
    Reading.PRINT: _("printed"),
    Reading.EXPORT: _("taken out"),
}

BY_MONTHS = Dropped("at", oldest_kept)


def number_given_by(sequence: str) -> "models.BigIntegerField[int, int]":
    """PostgreSQL numbers the rows as they come; hms_app may not say a number itself. In this order they are sealed."""
    given = models.Func(models.Value(sequence), function="nextval", output_field=models.BigIntegerField())
    return models.BigIntegerField(editable=False, db_default=given)


@sealed(
    "seq", "clinic_id", "at", "event_id", "user_id", "route", "method", "status", "address", "request_id", "why", "reading",
    number="seq", dropped=BY_MONTHS,
)  # fmt: skip
class AccessEvent(models.Model):
    """One request that showed somebody's data. People are ids without a reference: a log outlives whom it names."""

    table_kind = "clinic"

    pk = models.CompositePrimaryKey("clinic_id", "at", "event_id")
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    at = models.DateTimeField(_("at"))
    event_id = models.UUIDField(editable=False)
    user_id = models.UUIDField(_("person"), null=True)
    route = models.CharField(_("route"), max_length=200, help_text=_("The route's name, never an address."))
    method = models.CharField(_("method"), max_length=8)
    status = models.PositiveSmallIntegerField(_("status"))
    address = models.CharField(_("address"), max_length=45)
    request_id = models.CharField(_("request"), max_length=64)
    why = models.CharField(_("why"), max_length=300, blank=True)
    reading = models.CharField(_("reading"), max_length=8, choices=[(one.value, words) for one, words in READINGS.items()])
    seq = number_given_by("core_accessevent_seq_seq")

    objects = ClinicManager.from_queryset(ClinicQuerySet["AccessEvent"])()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("access event")
        verbose_name_plural = _("access events")
        indexes: ClassVar = [models.Index(fields=["clinic", "seq"], name="core_accessevent_by_number")]

    def __str__(self) -> str:
        return str(self.event_id)


@anonymised(keep=["patient_id", "at", "event_id", "seq"])
@sealed("seq", "clinic_id", "patient_id", "at", "event_id", number="seq", dropped=BY_MONTHS)
class AccessedPatient(models.Model):
    """One patient whom an event showed."""

    table_kind = "clinic"

    pk = models.CompositePrimaryKey("clinic_id", "patient_id", "at", "event_id")
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    patient_id = models.UUIDField()
    at = models.DateTimeField(_("at"))
    event_id = models.UUIDField(editable=False)
    seq = number_given_by("core_accessedpatient_seq_seq")

    objects = ClinicManager.from_queryset(ClinicQuerySet["AccessedPatient"])()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("accessed patient")
        verbose_name_plural = _("accessed patients")
        indexes: ClassVar = [models.Index(fields=["clinic", "seq"], name="core_accessedpatient_by_number")]

    def __str__(self) -> str:
        return str(self.event_id)
