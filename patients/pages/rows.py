"""Patients as lists show them: what matched is marked, and nothing is left for the template to look up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.audit.subjects import Reading, shown
from patients.choices import PatientStatus
from patients.models import Patient
from patients.names import digits_of, normalise
from patients.selectors import Duplicate, MatchedTerm, PatientMatch

NAME_FIELDS = ("given_name", "middle_name", "family_name")
MONTHS_UNTIL = 2  # years of age under which months are told

REASONS = {
    "mrn": gettext_lazy("same MRN"),
    "national_id": gettext_lazy("same national id"),
    "phone": gettext_lazy("same phone"),
    "email": gettext_lazy("same e-mail"),
    "name": gettext_lazy("same name"),
    "similar_name": gettext_lazy("similar name"),
    "date_of_birth": gettext_lazy("same birth date"),
}


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient in a list. `name`, `born`, `mrn` and `phone` are safe markup with what matched in <mark>."""

    pk: UUID
    plain_name: str
    name: SafeString
    born: SafeString
    mrn: SafeString
    phone: SafeString
    age: str
    sex: str
    is_active: bool
    is_restricted: bool
    status: str
    why: str = ""
    strong: bool = False


def age_of(patient: Patient, today: date) -> str:
    """“52 y”; months under two years (“4 months”). Empty for a record that is withheld."""
    years = patient.age_on(today)
    if years is None:
        return ""
    if years >= MONTHS_UNTIL:
        return _("%(years)d y") % {"years": years}
    born = patient.date_of_birth
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    return ngettext("%(n)d month", "%(n)d months", months) % {"n": months}


def rows_of(patients: Iterable[Patient]) -> list[PatientRow]:
    today = timezone.localdate()
    return [_row(patient, (), today, Reading.LIST) for patient in patients]


def rows_of_matches(matches: Iterable[PatientMatch]) -> list[PatientRow]:
    today = timezone.localdate()
    return [_row(match.patient, match.matched, today, Reading.SEARCH) for match in matches]


def rows_of_duplicates(duplicates: Iterable[Duplicate]) -> list[PatientRow]:
    today = timezone.localdate()
    return [
        _row(
            duplicate.patient,
            (),
            today,
            Reading.SEARCH,
            why=", ".join(str(REASONS[reason]) for reason in duplicate.reasons if reason in REASONS),
            strong=duplicate.strength == "strong",
        )
        for duplicate in duplicates
    ]


def _row(patient: Patient, matched: Iterable[MatchedTerm], today: date, reading: Reading, **more: Any) -> PatientRow:
    shown([patient.pk], reading)
    by_field: dict[str, list[MatchedTerm]] = {}
    for match in matched:
        by_field.setdefault(match.field, []).append(match)
    return PatientRow(
        pk=patient.pk,
        plain_name=patient.full_name,
        name=_name(patient, by_field),
        born=_born(patient, by_field.get("date_of_birth")),
        mrn=_marked(patient.mrn, "mrn" in by_field),
        phone=_phone(patient, by_field),
        age=age_of(patient, today),
        sex=patient.get_sex_display(),
        is_restricted=patient.is_restricted,
        is_active=patient.status == PatientStatus.ACTIVE,
        status=patient.get_status_display(),
        **more,
    )


def _marked(text: str, is_match: bool) -> SafeString:
    return format_html("<mark>{}</mark>", text) if is_match and text else format_html("{}", text)


def _name(patient: Patient, by_field: dict[str, list[MatchedTerm]]) -> SafeString:
    parts = [(marked(getattr(patient, field), by_field.get(field, [])),) for field in NAME_FIELDS if getattr(patient, field)]
    name = format_html_join(" ", "{}", parts)
    if not patient.preferred_name:
        return name
    return format_html("{} “{}”", name, marked(patient.preferred_name, by_field.get("preferred_name", [])))


def marked(text: str, matches: list[MatchedTerm]) -> SafeString:
    """The words of a name; in each that was found, what was typed of it stands in <mark>. A misspelt one whole."""
    if not matches:
        return format_html("{}", text)
    pieces = [(word, max(_reach(word, match) for match in matches)) for word in text.split()]
    if not any(end for _word, end in pieces):
        return _marked(text, True)
    return format_html_join(" ", "{}{}", ((_marked(word[:end], end > 0), word[end:]) for word, end in pieces))


def _reach(word: str, match: MatchedTerm) -> int:
    """How many letters of the word as written the typed ones cover; 0 when it does not begin so."""
    if match.kind == "fuzzy":
        return 0
    for end in range(1, len(word) + 1):
        begun = "".join(c for c in normalise(word[:end]) if c.isalnum())
        if begun == match.text:
            return end
    return 0


def _born(patient: Patient, matches: list[MatchedTerm] | None) -> SafeString:
    born = patient.date_of_birth
    if patient.is_withheld:
        return SafeString("")
    if not matches:
        return format_html("{}", date_format(born, "j M Y"))
    if all(match.kind == "prefix" for match in matches):
        return format_html("{} {}", date_format(born, "j M"), _marked(str(born.year), True))
    return _marked(date_format(born, "j M Y"), True)


def _phone(patient: Patient, by_field: dict[str, list[MatchedTerm]]) -> SafeString:
    """The number that was found with its end marked, or else the last digits of the first."""
    for field in ("phone", "phone_alt"):
        for match in by_field.get(field, []):
            number = getattr(patient, field)
            typed = digits_of(match.text)
            length = len(typed if number.endswith(typed) else typed.lstrip("0"))
            return format_html("{}{}", number[: len(number) - length], _marked(number[len(number) - length :], True))
    return format_html("…{}", patient.phone[-4:]) if patient.phone else SafeString("")
