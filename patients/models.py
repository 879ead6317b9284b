"""The patient, how a patient is found, and who may look as the patient."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinics.models import Provider
from core.security.fields import EncryptedTextField
from core.tenancy.models import ClinicForeignKey, ClinicModel, Record
from core.tenancy.querysets import ClinicManager, ClinicQuerySet
from patients.choices import BloodType, Channel, ConsentKind, PatientStatus, Sex, TimeOfDay
from patients.querysets import PatientQuerySet


class Patient(Record):
    """A person whom the clinic cares for. Names are stored as typed; the `*_norm` columns are for finding them."""

    mrn = models.CharField(_("MRN"), max_length=24, editable=False, help_text=_("Medical record number, issued by the clinic."))
    given_name = models.CharField(_("given name"), max_length=100)
    middle_name = models.CharField(_("middle name"), max_length=100, blank=True)
    family_name = models.CharField(_("family name"), max_length=100)
    preferred_name = models.CharField(_("preferred name"), max_length=100, blank=True)
    date_of_birth = models.DateField(_("date of birth"))
    sex = models.CharField(_("sex"), max_length=8, choices=Sex)
    gender = models.CharField(_("gender"), max_length=60, blank=True, help_text=_("In the person's own words."))
    blood_type = models.CharField(_("blood type"), max_length=8, choices=BloodType, default=BloodType.UNKNOWN)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    phone_alt = models.CharField(_("other phone"), max_length=20, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    address_line1 = models.CharField(_("address"), max_length=200, blank=True)
    address_line2 = models.CharField(_("address, second line"), max_length=200, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    region = models.CharField(_("region"), max_length=100, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    national_id = EncryptedTextField(_("national id"), blank=True)
    insurance_provider = models.CharField(_("insurer"), max_length=120, blank=True)
    insurance_policy_number = EncryptedTextField(_("policy number"), blank=True)
    insurance_valid_until = models.DateField(_("insured until"), null=True, blank=True)
    emergency_name = models.CharField(_("emergency contact"), max_length=200, blank=True)
    emergency_relationship = models.CharField(_("relationship"), max_length=60, blank=True)
    emergency_phone = models.CharField(_("emergency phone"), max_length=20, blank=True)
    language = models.CharField(_("language"), max_length=16, blank=True, help_text=_("BCP 47, such as es or pt-BR."))
    needs_interpreter = models.BooleanField(_("needs an interpreter"), default=False)
    reminder_channels = ArrayField(
        models.CharField(max_length=16, choices=Channel), default=list, blank=True, verbose_name=_("reminders by")
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    preferred_provider = ClinicForeignKey(Provider, null=True, blank=True, related_name="+", verbose_name=_("preferred provider"))
    preferred_time_of_day = models.CharField(_("preferred time"), max_length=16, choices=TimeOfDay, default=TimeOfDay.ANY)
    notes = models.TextField(_("notes"), blank=True, max_length=4000)
    status = models.CharField(_("status"), max_length=16, choices=PatientStatus, default=PatientStatus.ACTIVE)

    family_norm = models.CharField(max_length=200, editable=False, db_collation="C")
    given_norm = models.CharField(max_length=200, editable=False, db_collation="C")

    objects = ClinicManager.from_queryset(PatientQuerySet)()  # type: ignore[assignment, misc]

    class Meta(Record.Meta):
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        constraints = [models.UniqueConstraint(fields=["clinic", "mrn"], name="patients_mrn_once")]
        indexes = [
            models.Index(fields=["clinic", "family_norm", "given_norm", "id"], name="patients_by_name"),
            models.Index(fields=["clinic", "given_norm", "family_norm", "id"], name="patients_by_given_name"),
            models.Index(fields=["clinic", "date_of_birth"], name="patients_by_birth"),
            models.Index(fields=["clinic", "updated_at", "id"], name="patients_by_update"),
            models.Index(fields=["clinic", "phone"], name="patients_by_phone"),
        ]

    def __str__(self) -> str:
        return self.mrn

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()

    def age_on(self, day: date) -> int:
        """Whole years on that day; a birthday on 29 February is reached on 1 March of other years."""
        before = (day.month, day.day) < (self.date_of_birth.month, self.date_of_birth.day)
        return day.year - self.date_of_birth.year - before


class PatientToken(models.Model):
    """One way to find one patient: a keyed hash of a piece of name, phone, number or birth date.

    The key differs from clinic to clinic. Whoever reads the table sees how often pieces occur, not what they are.
    """

    table_kind = "clinic"

    pk = models.CompositePrimaryKey("clinic_id", "token", "patient_id")
    clinic = models.ForeignKey("core.Clinic", models.PROTECT, related_name="+", db_index=False)
    token = models.BigIntegerField()
    patient = ClinicForeignKey(Patient, models.CASCADE, related_name="tokens")

    objects = ClinicManager.from_queryset(ClinicQuerySet["PatientToken"])()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("patient token")
        verbose_name_plural = _("patient tokens")

    def __str__(self) -> str:
        return str(self.token)


class MrnSequence(ClinicModel):
    """The last medical record number a clinic gave out. Its row lock orders registrations."""

    last_number = models.PositiveBigIntegerField(default=0)

    class Meta(ClinicModel.Meta):
        verbose_name = _("MRN sequence")
        verbose_name_plural = _("MRN sequences")
        constraints = [models.UniqueConstraint(fields=["clinic"], name="patients_mrn_sequence_once")]


class PatientAccount(ClinicModel):
    """Ties a user of role PATIENT to the patient they are, or care for."""

    patient = ClinicForeignKey(Patient, related_name="accounts", verbose_name=_("patient"))
    user = models.ForeignKey("core.User", models.PROTECT, related_name="+", db_index=False, verbose_name=_("user"))

    class Meta(ClinicModel.Meta):
        verbose_name = _("patient account")
        verbose_name_plural = _("patient accounts")
        constraints = [models.UniqueConstraint(fields=["clinic", "user", "patient"], name="patients_account_once")]


class Consent(Record):
    """What a patient agreed to, or took back. The newest row of a kind counts."""

    patient = ClinicForeignKey(Patient, related_name="consents", verbose_name=_("patient"))
    kind = models.CharField(_("kind"), max_length=24, choices=ConsentKind)
    given = models.BooleanField(_("given"))
    noted_by = models.ForeignKey(
        "core.User", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("noted by")
    )

    class Meta(Record.Meta):
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [models.Index(fields=["clinic", "patient", "kind", "-created_at"], name="patients_consent_newest")]
