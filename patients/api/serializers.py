"""What goes in and out of the API about patients."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from core.api.serializers import Flag, InputSerializer, OutputSerializer, Text, WallTime
from core.api.uploads import UploadField
from core.errors import Detail
from core.validators import Problems, clean_birth_date
from patients import validators
from patients.api.names import as_sent, flat
from patients.choices import (
    CHOSEN_STATUS,
    AnonymisingKind,
    BloodType,
    Channel,
    ConsentKind,
    DocumentCategory,
    DocumentStatus,
    PatientStatus,
    Sex,
    TimeOfDay,
)

WITHHELD = "the record is restricted and not open to you."
AS_WRITTEN = "As people write it; kept as E.164."


class AddressOutput(OutputSerializer):
    line1 = serializers.CharField(source="address_line1")
    line2 = serializers.CharField(source="address_line2")
    city = serializers.CharField()
    region = serializers.CharField()
    postal_code = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1, two letters.")


class InsuranceOutput(OutputSerializer):
    provider = serializers.CharField(source="insurance_provider")
    policy_number = serializers.CharField(source="insurance_policy_number")
    valid_until = serializers.DateField(source="insurance_valid_until", allow_null=True)


class EmergencyContactOutput(OutputSerializer):
    name = serializers.CharField(source="emergency_name")
    relationship = serializers.CharField(source="emergency_relationship")
    phone = serializers.CharField(source="emergency_phone")


class QuietHoursOutput(OutputSerializer):
    """When no message is sent; null when there is no such time."""

    start = serializers.TimeField(source="quiet_from", allow_null=True)
    end = serializers.TimeField(source="quiet_until", allow_null=True)


class PreferencesOutput(OutputSerializer):
    reminder_channels = serializers.ListField(child=serializers.ChoiceField(choices=Channel.choices))
    quiet_hours = QuietHoursOutput(source="*")
    provider_id = serializers.UUIDField(source="preferred_provider_id", allow_null=True)
    time_of_day = serializers.ChoiceField(source="preferred_time_of_day", choices=TimeOfDay.choices)


class PatientSummary(OutputSerializer):
    """A row of a list. The whole record is at `patients/{id}`."""

    id = serializers.UUIDField()
    mrn = serializers.CharField()
    given_name = serializers.CharField()
    family_name = serializers.CharField()
    middle_name = serializers.CharField()
    preferred_name = serializers.CharField()
    date_of_birth = serializers.DateField(allow_null=True, help_text=f"null: {WITHHELD}")
    sex = serializers.ChoiceField(choices=Sex.choices, allow_blank=True, help_text=f"Empty: {WITHHELD}")
    phone = serializers.CharField(help_text=f"E.164. Empty also: {WITHHELD}")
    email = serializers.CharField(help_text=f"Empty also: {WITHHELD}")
    status = serializers.ChoiceField(choices=PatientStatus.choices)
    is_restricted = serializers.BooleanField(help_text="The record opens to few; see `patients/{id}/break-glass`.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class PatientOutput(OutputSerializer):
    id = serializers.UUIDField()
    mrn = serializers.CharField()
    given_name = serializers.CharField()
    family_name = serializers.CharField()
    middle_name = serializers.CharField()
    preferred_name = serializers.CharField()
    date_of_birth = serializers.DateField()
    sex = serializers.ChoiceField(choices=Sex.choices)
    gender = serializers.CharField()
    blood_type = serializers.ChoiceField(choices=BloodType.choices)
    phone = serializers.CharField(help_text="E.164.")
    phone_alt = serializers.CharField(help_text="E.164.")
    email = serializers.CharField()
    address = AddressOutput(source="*")
    national_id = serializers.CharField()
    insurance = InsuranceOutput(source="*")
    emergency_contact = EmergencyContactOutput(source="*")
    language = serializers.CharField(help_text="BCP 47, such as es or pt-BR.")
    needs_interpreter = serializers.BooleanField()
    preferences = PreferencesOutput(source="*")
    notes = serializers.CharField()
    status = serializers.ChoiceField(choices=PatientStatus.choices)
    is_restricted = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Counts changes; goes into the ETag, for If-Match.")


class AddressInput(InputSerializer):
    line1 = Text(max_length=200, required=False)
    line2 = Text(max_length=200, required=False)
    city = Text(max_length=100, required=False)
    region = Text(max_length=100, required=False)
    postal_code = Text(max_length=20, required=False)
    country = Text(max_length=2, required=False, help_text="ISO 3166-1, two letters.")


class InsuranceInput(InputSerializer):
    provider = Text(max_length=120, required=False)
    policy_number = Text(max_length=64, required=False)
    valid_until = serializers.DateField(required=False, allow_null=True)


class EmergencyContactInput(InputSerializer):
    name = Text(max_length=200, required=False)
    relationship = Text(max_length=60, required=False)
    phone = Text(max_length=40, required=False, help_text=AS_WRITTEN)


class QuietHoursInput(InputSerializer):
    """Both or neither."""

    start = WallTime(required=False, allow_null=True)
    end = WallTime(required=False, allow_null=True)


class PreferencesInput(InputSerializer):
    reminder_channels = serializers.ListField(child=serializers.ChoiceField(choices=Channel.choices), required=False, max_length=3)
    quiet_hours = QuietHoursInput(required=False)
    provider_id = serializers.UUIDField(required=False, allow_null=True)
    time_of_day = serializers.ChoiceField(choices=TimeOfDay.choices, required=False)


class PatientInput(InputSerializer):
    """A patient's own fields. Fields that are left out stay as they are, or empty for a new patient."""

    given_name = Text(max_length=100)
    family_name = Text(max_length=100)
    middle_name = Text(max_length=100, required=False)
    preferred_name = Text(max_length=100, required=False)
    date_of_birth = serializers.DateField()
    sex = serializers.ChoiceField(choices=Sex.choices)
    gender = Text(max_length=60, required=False)
    blood_type = serializers.ChoiceField(choices=BloodType.choices, required=False)
    phone = Text(max_length=40, required=False, help_text=AS_WRITTEN)
    phone_alt = Text(max_length=40, required=False, help_text=AS_WRITTEN)
    email = Text(max_length=254, required=False)
    address = AddressInput(required=False)
    national_id = Text(max_length=64, required=False)
    insurance = InsuranceInput(required=False)
    emergency_contact = EmergencyContactInput(required=False)
    language = Text(max_length=16, required=False, help_text="BCP 47, such as es or pt-BR.")
    needs_interpreter = Flag(required=False)
    preferences = PreferencesInput(required=False)
    notes = Text(max_length=validators.NOTES_LENGTH, required=False)
    status = serializers.ChoiceField(choices=CHOSEN_STATUS, required=False)

    not_columns: frozenset[str] = frozenset()

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        found = Problems()
        clinic = self.context["clinic"]
        rules = validators.ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone))
        columns = flat({name: value for name, value in values.items() if name not in self.not_columns})
        validators.clean_patient(columns, rules, found, complete=False)
        return as_sent(found.details)


class ConsentsInput(InputSerializer):
    treatment = Flag(required=False)
    data_processing = Flag(required=False)
    messages = Flag(required=False)


class NewPatientInput(PatientInput):
    consents = ConsentsInput(required=False)
    accept_duplicate = Flag(required=False, help_text="Register although somebody very alike is registered already.")

    not_columns = frozenset({"consents", "accept_duplicate"})


class SearchInput(InputSerializer):
    """The same as `GET patients?search=`, without the words in an address."""

    search = Text(max_length=200, allow_blank=False, help_text="Names, MRN, end of a phone number, date of birth; in any order.")
    limit = serializers.IntegerField(min_value=1, max_value=100, required=False)


class DuplicatesInput(InputSerializer):
    given_name = Text(max_length=100)
    family_name = Text(max_length=100)
    date_of_birth = serializers.DateField(required=False, allow_null=True)
    phone = Text(max_length=40, required=False, help_text=AS_WRITTEN)
    email = Text(max_length=254, required=False)
    national_id = Text(max_length=64, required=False)
    mrn = Text(max_length=24, required=False)

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        found = Problems()
        clinic = self.context["clinic"]
        rules = validators.ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone))
        columns = {name: value for name, value in values.items() if name not in ("mrn", "date_of_birth")}
        validators.clean_patient(columns, rules, found, complete=False)
        if values.get("date_of_birth") is not None:
            found.check("date_of_birth", clean_birth_date, values["date_of_birth"], today=rules.today)
        return found.details


class DuplicateOutput(OutputSerializer):
    patient = PatientSummary()
    reasons = serializers.ListField(
        child=serializers.CharField(),
        help_text="What agrees: mrn, national_id, phone, email, name, similar_name, date_of_birth.",
    )
    strength = serializers.ChoiceField(choices=["strong", "weak"])


class AnonymiseInput(InputSerializer):
    mrn = Text(max_length=24, help_text="Of this record, once more: there is no way back.")
    kind = serializers.ChoiceField(
        choices=AnonymisingKind.choices,
        help_text="`retention`: by the clinic's own rule, once its time is over. `request`: any time.",
    )
    reason = Text(max_length=validators.REASON_LENGTH, help_text="Stays. Without names and numbers of the person.")


class ConsentInput(InputSerializer):
    kind = serializers.ChoiceField(choices=ConsentKind.choices)
    given = Flag()


class ConsentOutput(OutputSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ConsentKind.choices)
    given = serializers.BooleanField()
    noted_by = serializers.UUIDField(source="noted_by_id", allow_null=True)
    created_at = serializers.DateTimeField()


class DocumentContent(OutputSerializer):
    """Of what `documents/{id}/content` sends. A picture is encoded anew when it is added, so its digest is another."""

    content_type = serializers.CharField(help_text="As the content showed, whatever the sender said.")
    file_name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(help_text="Hexadecimal.")


class DocumentOutput(OutputSerializer):
    """A file about a patient (FHIR DocumentReference)."""

    id = serializers.UUIDField()
    patient = serializers.UUIDField(source="patient_id")
    title = serializers.CharField()
    category = serializers.ChoiceField(choices=DocumentCategory.choices)
    date = serializers.DateField(allow_null=True, help_text="Of the document itself, such as a letter's.")
    status = serializers.ChoiceField(choices=DocumentStatus.choices)
    status_reason = serializers.CharField(help_text="Why it is in error.")
    content = DocumentContent(source="*")
    added_by = serializers.UUIDField(source="added_by_id", allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Counts changes; goes into the ETag, for If-Match.")


class DocumentInput(InputSerializer):
    """A form with a file (multipart/form-data)."""

    file = UploadField(
        help_text="PDF, JPEG, PNG, WebP, TIFF, plain text, .docx, .xlsx or .odt; at most 10 MB, and nothing active in it."
    )
    title = Text(max_length=validators.TITLE_LENGTH, required=False, help_text="By default the file's name.")
    category = serializers.ChoiceField(choices=DocumentCategory.choices, required=False)
    date = serializers.DateField(required=False, allow_null=True, help_text="Of the document itself.")

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        found = Problems()
        clinic = self.context["clinic"]
        rules = validators.ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone))
        validators.clean_document({name: value for name, value in values.items() if name != "file"}, rules, found)
        return found.details


class EnteredInErrorInput(InputSerializer):
    reason = Text(max_length=validators.REASON_LENGTH)

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        found = Problems()
        if "reason" in values:
            found.check("reason", validators.clean_reason, values["reason"])
        return found.details
