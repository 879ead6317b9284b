"""What browsers send about patients, turned into what services take."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from clinics.models import Provider
from core.audit.break_glass import Category, Verdict
from core.editing import READ, ReadingForm
from core.forms import TypedBoolean, TypedChoice, TypedChoices, TypedField, TypedFile
from core.uploads.rules.kinds import KINDS
from core.validators import clean_birth_date, clean_phone
from patients.choices import (
    CHOSEN_STATUS,
    AnonymisingKind,
    BloodType,
    Channel,
    ConsentKind,
    DocumentCategory,
    ExportReason,
    PatientStatus,
    Sex,
    TimeOfDay,
)
from patients.models import Consent, Patient
from patients.validators import REASON_LENGTH, TITLE_LENGTH, ClinicRules

CONSENT = "consent_"
ACCEPTED = ",".join(f".{ending}" for kind in KINDS.values() for ending in kind.extensions[:2])
BOOKING_WORDS = ("book for ", "book ")
LEFT_OUT_WHEN_EMPTY = {"date_of_birth", "sex"}  # so that the service says “needed”, not “wrong”


def _line(label: Any, *, required: bool = False, help_text: Any = "", kind: str = "text", **attrs: Any) -> TypedField:
    """A line of text. The browser must not offer the receptionist's own name and address."""
    widget = forms.TextInput(attrs={"autocomplete": "off", **attrs})
    widget.input_type = kind
    return TypedField(label=label, required=required, help_text=help_text, widget=widget)


class SearchForm(forms.Form):
    """The one box in which patients are found. Sent by POST: what is looked for must not stand in an address."""

    text = TypedField(
        label=_("Name, phone, birth date, MRN"),
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "spellcheck": "false", "maxlength": 200}),
    )


class PatientForm(forms.Form):
    """A patient's record on one screen. Every rule is the service's; here are only words and widgets."""

    SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (
            _("Person"),
            ("given_name", "family_name", "date_of_birth", "sex", "middle_name", "preferred_name", "gender", "blood_type"),
        ),
        (
            _("Contact"),
            ("phone", "phone_alt", "email", "address_line1", "address_line2", "postal_code", "city", "region", "country"),
        ),
        (_("Emergency contact"), ("emergency_name", "emergency_relationship", "emergency_phone")),
        (_("Identity and insurance"), ("national_id", "insurance_provider", "insurance_policy_number", "insurance_valid_until")),
        (_("Language and messages"), ("language", "needs_interpreter", "reminder_channels", "quiet_from", "quiet_until")),
        (_("Visits"), ("preferred_provider_id", "preferred_time_of_day", "notes")),
    )
    OPEN_SECTIONS = 2

    given_name = _line(_("Given name"), required=True)
    family_name = _line(_("Family name"), required=True)
    date_of_birth = _line(_("Date of birth"), required=True, kind="date")
    sex = TypedChoice(label=_("Sex"), choices=Sex.choices, widget=forms.RadioSelect)
    middle_name = _line(_("Middle name"))
    preferred_name = _line(_("Preferred name"), help_text=_("How to call them."))
    gender = _line(_("Gender"), help_text=_("In the person’s own words."))
    blood_type = TypedChoice(label=_("Blood type"), choices=BloodType.choices, initial=BloodType.UNKNOWN, required=False)
    phone = _line(_("Mobile"), kind="tel")
    phone_alt = _line(_("Other phone"), kind="tel")
    email = _line(_("E-mail"), kind="email")
    address_line1 = _line(_("Address"))
    address_line2 = _line(_("Address, second line"))
    postal_code = _line(_("Postal code"))
    city = _line(_("Town or city"))
    region = _line(_("Region"))
    country = _line(_("Country"), help_text=_("Two letters, such as GB."), maxlength=2)
    emergency_name = _line(_("Name"))
    emergency_relationship = _line(_("Relationship"))
    emergency_phone = _line(_("Phone"), kind="tel")
    national_id = _line(_("National id"))
    insurance_provider = _line(_("Insurer"))
    insurance_policy_number = _line(_("Policy number"))
    insurance_valid_until = _line(_("Insured until"), kind="date")
    language = _line(_("Language"), help_text=_("A language tag, such as es or pt-BR."))
    needs_interpreter = TypedBoolean(label=_("Needs an interpreter"), required=False)
    reminder_channels = TypedChoices(
        label=_("Reminders by"), choices=Channel.choices, widget=forms.CheckboxSelectMultiple, required=False
    )
    quiet_from = _line(_("No messages from"), kind="time")
    quiet_until = _line(_("until"), kind="time")
    preferred_provider_id = TypedChoice(label=_("Preferred provider"), required=False)
    preferred_time_of_day = TypedChoice(label=_("Preferred time"), choices=TimeOfDay.choices, initial=TimeOfDay.ANY, required=False)
    notes = TypedField(
        label=_("Notes for the desk"), required=False, widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        providers = Provider.objects.filter(is_active=True).values_list("pk", "name")
        choices = [("", _("Anybody")), *((str(pk), name) for pk, name in providers)]
        cast(TypedChoice, self.fields["preferred_provider_id"]).choices = choices
        for kind, label in ConsentKind.choices:
            self.fields[CONSENT + kind] = TypedBoolean(label=label, required=False)

    def sections(self) -> Iterator[dict[str, Any]]:
        """Title, fields, whether it opens by itself: the first two always, another when something in it is typed or wrong."""
        for number, (title, names) in enumerate(self.SECTIONS):
            fields = [self[name] for name in names]
            first = number < self.OPEN_SECTIONS
            filled = any(field.errors or _is_filled(field) for field in fields)
            yield {"title": title, "fields": fields, "always": first, "open": first or filled}

    def consents(self) -> list[BoundField]:
        return [self[name] for name in self.fields if name.startswith(CONSENT)]

    def typed(self) -> dict[str, Any]:
        """For `register_patient` and `update_patient`: model field -> value. Consents are not among them."""
        data = {name: value for name, value in self.cleaned_data.items() if not name.startswith(CONSENT)}
        return {name: value for name, value in data.items() if value != "" or name not in LEFT_OUT_WHEN_EMPTY}

    def ticked(self) -> dict[str, bool]:
        """Consents: kind -> ticked or not."""
        return {kind: bool(self.cleaned_data.get(CONSENT + kind)) for kind in ConsentKind.values}


class EditPatientForm(ReadingForm, PatientForm):
    """The same for a record that exists; with what became of the patient."""

    SECTIONS = ((PatientForm.SECTIONS[0][0], (*PatientForm.SECTIONS[0][1], "status")), *PatientForm.SECTIONS[1:])

    status = TypedChoice(
        label=_("Status"), choices=CHOSEN_STATUS, initial=PatientStatus.ACTIVE, required=False,
        help_text=_("Only an active patient can be booked."),
    )  # fmt: skip

    def typed(self) -> dict[str, Any]:
        data = {name: value for name, value in self.cleaned_data.items() if not name.startswith(CONSENT)}
        del data[READ]
        return data


class DocumentForm(forms.Form):
    """A file and what is to be known of it. The rules are the service's."""

    file = TypedFile(
        label=_("File"), required=True, help_text=_("PDF, picture, text, .docx, .xlsx or .odt; at most 10 MB."),
        widget=forms.FileInput(attrs={"accept": ACCEPTED, "hx-preserve": True}),
    )  # fmt: skip
    title = _line(_("Title"), help_text=_("Left empty, the file’s name."), maxlength=TITLE_LENGTH)
    category = TypedChoice(label=_("Kind"), choices=DocumentCategory.choices, initial=DocumentCategory.OTHER, required=False)
    date = _line(_("Date of the document"), kind="date")


class DocumentErrorForm(forms.Form):
    """Why a document does not belong into the record; `version` is the one that was read."""

    reason = _line(_("Reason"), required=True, help_text=_("For example: another patient’s."), maxlength=REASON_LENGTH)
    version = TypedField(widget=forms.HiddenInput, required=False)


class AnonymiseForm(forms.Form):
    """Why a record is made nobody's, and its MRN once more; `version` is the one that was read."""

    kind = TypedChoice(label=_("Why"), choices=AnonymisingKind.choices, widget=forms.RadioSelect)
    reason = _line(
        _("Reason"), required=True, help_text=_("Stays for ever. Without names and numbers of the person."), maxlength=REASON_LENGTH
    )
    mrn = _line(_("Type the MRN of this record"), required=True, help_text=_("There is no way back."), spellcheck="false")
    version = TypedField(widget=forms.HiddenInput, required=False)

    def given(self) -> dict[str, Any]:
        """For `anonymise_patient`."""
        said = {name: self.cleaned_data.get(name, "") for name in ("kind", "reason", "mrn")}
        return {**said, "expected_version": read_version(self)}


class BreakGlassForm(forms.Form):
    """Why a restricted record is opened."""

    category = TypedChoice(label=_("What for"), required=True, choices=[("", "–"), *Category.choices])
    reason = TypedField(
        label=_("Reason"),
        required=True,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        help_text=_("A whole sentence. The patient may learn what it was for; who judges the access reads all of it."),
    )


class VerdictForm(forms.Form):
    """What is thought of an emergency access."""

    verdict = TypedChoice(label=_("Verdict"), required=True, choices=Verdict.choices, widget=forms.RadioSelect)
    note = TypedField(
        label=_("Note"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        help_text=_("Needed when it was not justified."),
    )


class RestrictionForm(forms.Form):
    """Why a record is restricted, or no longer."""

    reason = _line(_("Reason"), required=True, help_text=_("It stays in the record’s history."), maxlength=REASON_LENGTH)


class ExportForm(forms.Form):
    """Why a copy of the record is taken."""

    reason = TypedChoice(label=_("Reason"), required=True, choices=[("", "–"), *ExportReason.choices])


def read_version(form: forms.Form) -> int:
    """The version that was read. Something else than a number matches none."""
    typed = str(form.cleaned_data.get("version", ""))
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def detail_to_field(name: str) -> str:
    """The service's name of a field -> the form's."""
    return CONSENT + name.removeprefix("consents.") if name.startswith("consents.") else name


def initial_of(patient: Patient, consents: Mapping[str, Consent]) -> dict[str, Any]:
    """The record as the edit form shows it."""
    names = [name for _title, section in EditPatientForm.SECTIONS for name in section]
    values: dict[str, Any] = {name: getattr(patient, name) for name in names}
    for name in ("quiet_from", "quiet_until"):
        values[name] = values[name].strftime("%H:%M") if values[name] else ""
    values["preferred_provider_id"] = str(patient.preferred_provider_id or "")
    return values | {CONSENT + kind: consent.given for kind, consent in consents.items()}


def looked_for(text: str) -> tuple[str, bool]:
    """Whom somebody looks for, and whether they said that it is to book: “book for …”."""
    text = text.strip()
    words = next((words for words in BOOKING_WORDS if text.casefold().startswith(words)), "")
    return text[len(words) :].strip(), bool(words)


def guessed_from(text: str) -> dict[str, str]:
    """What was looked for in vain, as the beginning of a registration: names, or a phone number."""
    words = text.split()
    names = [word for word in words if not any(c.isdigit() for c in word)]
    digits = " ".join(word for word in words if re.fullmatch(r"[+\d()\-.]+", word))
    found = {"given_name": " ".join(names[:-1]) or " ".join(names), "family_name": names[-1] if len(names) > 1 else ""}
    if len(re.sub(r"\D", "", digits)) >= 7 and not re.fullmatch(r"\d{1,4}[-.]\d{1,2}[-.]\d{1,4}", digits):
        found["phone"] = digits
    return found


def duplicate_search(typed: Mapping[str, str], rules: ClinicRules) -> dict[str, Any]:
    """For `duplicates_of` while the form is being filled: what is already readable, nothing else."""
    found: dict[str, Any] = {name: typed.get(name, "").strip()[:100] for name in ("given_name", "family_name")}
    found |= {name: typed.get(name, "").strip()[:64] for name in ("national_id", "email")}
    for name, rule in (
        ("phone", lambda value: clean_phone(value, country=rules.country)),
        ("date_of_birth", lambda value: clean_birth_date(value, today=rules.today)),
    ):
        try:
            found[name] = rule(typed.get(name, ""))
        except ValidationError:
            continue
    return {name: _without_controls(value) if isinstance(value, str) else value for name, value in found.items()}


def _without_controls(value: str) -> str:
    return "".join(c for c in value if c.isprintable())


def _is_filled(field: BoundField) -> bool:
    return field.value() not in (None, "", [], False, field.field.initial)
