"""The patient, how a patient is found, and who may look as the patient."""

import secrets
from collections.abc import Collection
from datetime import date
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.fetch_modes import FetchMode
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinics.models import Provider
from core.anonymity import anonymised
from core.audit.restricted import Opening, access_of_reader
from core.cache.rows import thawed
from core.history.keeping import keeps_history
from core.security.fields import EncryptedTextField, ProtectableCharField, ProtectableEmailField, ProtectableTextField
from core.tenancy.announcements import announces, follows
from core.tenancy.models import ClinicForeignKey, ClinicModel, Record
from core.tenancy.querysets import ClinicManager, ClinicQuerySet
from core.uploads.store import StoredFileField
from core.validators import Rules
from patients.choices import (
    AnonymisingKind,
    AnonymisingState,
    BloodType,
    Channel,
    ConsentKind,
    DocumentCategory,
    DocumentStatus,
    PatientStatus,
    Sex,
    TimeOfDay,
)
from patients.errors import RecordRestricted
from patients.querysets import ALWAYS_SHOWN, DocumentQuerySet, PatientQuerySet, shown_instead
from patients.validators import (
    REASON_LENGTH,
    ClinicRules,
    anonymising_rules,
    consent_rules,
    document_rules,
    patient_rules,
    restriction_rules,
)

NOBODY = "Anonymised"  # where a name is needed


def full_name(given_name: str, family_name: str) -> str:
    return f"{given_name} {family_name}".strip()


@anonymised(
    keep=["sex"],
    becomes={
        "mrn": lambda patient: f"ANON-{secrets.token_hex(6).upper()}",
        "family_name": NOBODY,
        "given_name": "",
        "family_norm": "",
        "given_norm": "",
        "date_of_birth": lambda patient: date(patient.date_of_birth.year, 1, 1),
        "status": PatientStatus.ANONYMISED,
        "is_restricted": False,
    },
    blank=[
        "middle_name", "preferred_name", "gender", "blood_type", "phone", "phone_alt", "email", "address_line1", "address_line2",
        "city", "region", "postal_code", "country", "national_id", "insurance_provider", "insurance_policy_number",
        "insurance_valid_until", "emergency_name", "emergency_relationship", "emergency_phone", "language", "needs_interpreter",
        "reminder_channels", "quiet_from", "quiet_until", "preferred_provider", "preferred_time_of_day", "notes",
        "restriction_reason",
    ],
)  # fmt: skip
@keeps_history(inner=["family_norm", "given_norm"])
@announces(patient=["id"], restricted=["clinic_id", "is_restricted"])
class Patient(Record):
    """A person whom the clinic cares for. Names are stored as typed; the `*_norm` columns are for finding them.

    A restricted record that isn't open to the reader (core.audit.restricted) is read without what it withholds, whoever asks for it
    and by which way: `is_withheld` says so. `opening` is the reader's way to a restricted record that is open to them.
    """

    subject_path = "pk"
    is_withheld = False
    opening: Opening | None = None

    mrn = models.CharField(_("MRN"), max_length=24, editable=False, help_text=_("Medical record number, issued by the clinic."))
    given_name = models.CharField(_("given name"), max_length=100)
    middle_name = models.CharField(_("middle name"), max_length=100, blank=True)
    family_name = models.CharField(_("family name"), max_length=100)
    preferred_name = models.CharField(_("preferred name"), max_length=100, blank=True)
    date_of_birth = models.DateField(_("date of birth"))
    sex = models.CharField(_("sex"), max_length=8, choices=Sex)
    gender = ProtectableCharField(_("gender"), max_length=60, blank=True, help_text=_("In the person's own words."))
    blood_type = models.CharField(_("blood type"), max_length=8, choices=BloodType, default=BloodType.UNKNOWN)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    phone_alt = ProtectableCharField(_("other phone"), max_length=20, blank=True)
    email = ProtectableEmailField(_("e-mail"), blank=True)
    address_line1 = ProtectableCharField(_("address"), max_length=200, blank=True)
    address_line2 = ProtectableCharField(_("address, second line"), max_length=200, blank=True)
    city = ProtectableCharField(_("city"), max_length=100, blank=True)
    region = ProtectableCharField(_("region"), max_length=100, blank=True)
    postal_code = ProtectableCharField(_("postal code"), max_length=20, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    national_id = EncryptedTextField(_("national id"), blank=True)
    insurance_provider = ProtectableCharField(_("insurer"), max_length=120, blank=True)
    insurance_policy_number = EncryptedTextField(_("policy number"), blank=True)
    insurance_valid_until = models.DateField(_("insured until"), null=True, blank=True)
    emergency_name = ProtectableCharField(_("emergency contact"), max_length=200, blank=True)
    emergency_relationship = ProtectableCharField(_("emergency relationship"), max_length=60, blank=True)
    emergency_phone = ProtectableCharField(_("emergency phone"), max_length=20, blank=True)
    language = models.CharField(_("language"), max_length=16, blank=True, help_text=_("BCP 47, such as es or pt-BR."))
    needs_interpreter = models.BooleanField(_("needs an interpreter"), default=False)
    reminder_channels = ArrayField(
        models.CharField(max_length=16, choices=Channel), default=list, blank=True, verbose_name=_("reminders by")
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    preferred_provider = ClinicForeignKey(Provider, null=True, blank=True, related_name="+", verbose_name=_("preferred provider"))
    preferred_time_of_day = models.CharField(_("preferred time"), max_length=16, choices=TimeOfDay, default=TimeOfDay.ANY)
    notes = ProtectableTextField(_("notes"), blank=True, max_length=4000)
    status = models.CharField(_("status"), max_length=16, choices=PatientStatus, default=PatientStatus.ACTIVE)
    is_restricted = models.BooleanField(_("restricted"), default=False, db_default=False, editable=False)
    restriction_reason = models.CharField(
        _("reason of the restriction, or of its end"),
        max_length=REASON_LENGTH,
        blank=True,
        default="",
        db_default="",
        editable=False,
    )

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
            models.Index(fields=["clinic", "id"], name="patients_restricted", condition=models.Q(is_restricted=True)),
        ]

    def __str__(self) -> str:
        return self.mrn

    @classmethod
    def from_row(cls, row: Any) -> "Patient":
        """The record of a row of `as_rows`, as `for_list` would have read it. No query."""
        patient = thawed(cls, tuple(row._asdict().items()))
        patient._look_up_access()
        return patient

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], *, fetch_mode: FetchMode | None = None
    ) -> Self:
        patient = super().from_db(db, field_names, values, fetch_mode=fetch_mode)
        patient._look_up_access()
        return patient

    def save(self, *args: Any, **kwargs: Any) -> None:
        written = kwargs.get("update_fields")
        if self.is_withheld and (written is None or not ALWAYS_SHOWN | {"restriction_reason"} >= set(written)):
            raise RecordRestricted.of(self.pk)  # blanks must not be written over what was withheld
        super().save(*args, **kwargs)

    def _look_up_access(self) -> None:
        """Take out what the reader may not see. No query for a record that was read with `is_restricted` and isn't."""
        if not self.__dict__.get("is_restricted", True):
            return
        access = access_of_reader()
        self.is_withheld = self.pk in access.closed
        if self.is_withheld:
            for field in self._meta.concrete_fields:
                if field.attname in self.__dict__ and field.attname not in ALWAYS_SHOWN:
                    self.__dict__[field.attname] = shown_instead(field)
        elif self.__dict__.get("is_restricted"):
            self.opening = access.openings.get(self.pk)

    def field_rules(self) -> Rules:
        clinic = self.own_clinic()
        rules = patient_rules(ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone)))
        own = {name: rule for name, rule in rules.items() if name not in ("preferred_provider_id", "status")}
        return own | {"restriction_reason": restriction_rules()["reason"]}

    @property
    def is_anonymised(self) -> bool:
        return self.status == PatientStatus.ANONYMISED

    @property
    def full_name(self) -> str:
        return full_name(self.given_name, self.family_name)

    def age_on(self, day: date) -> int | None:
        """Whole years on that day, None where the birth date is withheld; a birthday on 29 February is reached on 1 March of other
        years."""
        if self.is_withheld:
            return None
        before = (day.month, day.day) < (self.date_of_birth.month, self.date_of_birth.day)
        return day.year - self.date_of_birth.year - before


@anonymised(removed=True)
@follows(Patient)
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


@anonymised(removed=True)
@keeps_history()
@announces(patient_accounts=["user_id"])
class PatientAccount(ClinicModel):
    """Ties a user of role PATIENT to the patient they are, or care for."""

    subject_path = "patient_id"

    patient = ClinicForeignKey(Patient, related_name="accounts", verbose_name=_("patient"))
    user = models.ForeignKey("core.User", models.PROTECT, related_name="+", db_index=False, verbose_name=_("user"))

    class Meta(ClinicModel.Meta):
        verbose_name = _("patient account")
        verbose_name_plural = _("patient accounts")
        constraints = [models.UniqueConstraint(fields=["clinic", "user", "patient"], name="patients_account_once")]


@anonymised(keep=["patient", "kind", "given", "noted_by"])
@keeps_history()
@announces(consents=["patient_id"])
class Consent(Record):
    """What a patient agreed to, or took back. The newest row of a kind counts."""

    subject_path = "patient_id"

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

    def field_rules(self) -> Rules:
        return consent_rules()


@anonymised(
    keep=["patient", "category", "status", "content_type", "added_by"],
    blank=["title", "date", "file_name", "sha256"],
    becomes={"size": 0, "status_reason": NOBODY},
    files=["stored"],
)
@keeps_history(inner=["stored", "sha256"])
@announces(documents=["patient_id"])
class Document(Record):
    """A file about a patient, as it was brought (FHIR DocumentReference). Never deleted; a wrong one is entered in error.

    Of an anonymised patient's the file is destroyed and `stored` empty: such a row is shown to nobody.
    """

    subject_path = "patient_id"

    patient = ClinicForeignKey(Patient, related_name="documents", verbose_name=_("patient"))
    title = models.CharField(_("title"), max_length=200)
    category = models.CharField(_("category"), max_length=16, choices=DocumentCategory, default=DocumentCategory.OTHER)
    date = models.DateField(_("date of the document"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=DocumentStatus, default=DocumentStatus.CURRENT)
    status_reason = models.CharField(_("reason"), max_length=300, blank=True)
    stored = StoredFileField(null=True, editable=False)
    content_type = models.CharField(_("kind of file"), max_length=100, editable=False)
    file_name = models.CharField(_("file name"), max_length=200, editable=False)
    size = models.PositiveIntegerField(_("size"), editable=False, help_text=_("In bytes."))
    sha256 = models.CharField(max_length=64, editable=False, help_text=_("Of the content as it is kept and sent."))
    added_by = models.ForeignKey(
        "core.User", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("added by")
    )

    objects = ClinicManager.from_queryset(DocumentQuerySet)()  # type: ignore[assignment, misc]

    class Meta(Record.Meta):
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "stored"], name="patients_document_stored_once"),
            models.CheckConstraint(
                condition=models.Q(status=DocumentStatus.CURRENT) | ~models.Q(status_reason=""), name="patients_document_says_why"
            ),
        ]
        indexes = [models.Index(fields=["clinic", "patient", "id"], name="patients_document_newest")]

    def field_rules(self) -> Rules:
        clinic = self.own_clinic()
        return document_rules(ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone)))


@anonymised(keep=["patient", "kind", "reason", "by", "at", "kept_until", "counts", "left", "state", "done_at"])
@keeps_history(secret=["left"])
@announces(anonymisations=["patient_id"])
class Anonymisation(ClinicModel):
    """That a record was made nobody's: who did it, when and why, and how many rows it touched. Nothing of the person.

    The application adds rows and changes none. `left` is what maintenance still has to remove, by ids and keyed digests; empty
    when it is done.
    """

    subject_path = "patient_id"

    patient = ClinicForeignKey(Patient, related_name="anonymisations", verbose_name=_("patient"))
    kind = models.CharField(_("kind"), max_length=16, choices=AnonymisingKind)
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey("core.User", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("by"))
    at = models.DateTimeField(_("at"), default=timezone.now)
    kept_until = models.DateField(
        _("would have been kept until"), null=True, help_text=_("By the clinic's rule. Empty: it keeps records for ever.")
    )
    counts = models.JSONField(_("rows"), default=dict, help_text=_("By table: changed, removed, or emptied in the history."))
    left = models.JSONField(default=dict, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=AnonymisingState, default=AnonymisingState.PENDING)
    done_at = models.DateTimeField(_("done"), null=True)

    class Meta(ClinicModel.Meta):
        verbose_name = _("anonymisation")
        verbose_name_plural = _("anonymisations")
        constraints = [models.UniqueConstraint(fields=["clinic", "patient"], name="patients_anonymised_once")]
        indexes = [models.Index(fields=["clinic", "state"], name="patients_anonymising")]

    def field_rules(self) -> Rules:
        return anonymising_rules()
