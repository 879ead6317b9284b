"""Who may be registered already."""

from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from core.accounts.actor import Actor
from core.tenancy.context import current_clinic_id
from patients import tokens
from patients.models import Patient
from patients.names import code_form, name_parts, sort_form
from patients.policies import visible_patients
from patients.selectors import candidates
from patients.selectors.candidates import MOST
from patients.selectors.id_sets import IdSet, union
from patients.selectors.ranking import alike_names, same_code

SHOWN = 10
STRONG = (
    {"mrn"},
    {"national_id"},
    {"name", "date_of_birth"},
    {"similar_name", "date_of_birth"},
    {"name", "phone"},
    {"similar_name", "phone"},
)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A record that may be the same person's.

    `reasons` is what agrees: mrn, national_id, phone, email, name, similar_name, date_of_birth.
    """

    subject_path: ClassVar[str] = "patient.pk"

    patient: Patient
    reasons: list[str]
    strength: Literal["strong", "weak"]


def duplicates_of(
    *,
    actor: Actor,
    given_name: str,
    family_name: str,
    date_of_birth: date | None = None,
    phone: str = "",
    national_id: str = "",
    email: str = "",
    mrn: str = "",
    exclude_id: UUID | None = None,
) -> list[Duplicate]:
    """Records that agree in what identifies a person, strongest first, at most ten.

    Strong: the same MRN or national id, or an equal or misspelt name together with birth date or phone. Weak: the rest, such
    as a shared phone. `phone` is in E.164. Two queries.
    """
    actor.require("patient", "search")
    given = _Given(given_name, family_name, date_of_birth, phone, national_id, email, mrn)
    wanted = given.candidates(current_clinic_id()).ids()
    if not wanted:
        return []
    rows = visible_patients(actor).current().filter(pk__any_of=wanted).as_rows(*(["national_id"] if national_id else []))
    found = [duplicate for row in rows if row.id != exclude_id and (duplicate := given.compared(row)) is not None]
    found.sort(key=lambda d: (d.strength != "strong", -len(d.reasons), d.patient.family_norm, d.patient.mrn))
    return [replace(duplicate, patient=Patient.from_row(duplicate.patient)) for duplicate in found[:SHOWN]]


@dataclass(frozen=True, slots=True)
class _Given:
    given_name: str
    family_name: str
    date_of_birth: date | None
    phone: str
    national_id: str
    email: str
    mrn: str

    def candidates(self, clinic_id: UUID) -> IdSet:
        parts = [self._by_numbers(clinic_id)]
        families, givens = _slips(self.family_name), _starts_and_sounds(self.given_name)
        if families and givens:
            parts.append(candidates.all_tokens_ids(clinic_id, families, givens).first(MOST))
            exchanged = (_slips(self.given_name), _starts_and_sounds(self.family_name))
            parts.append(candidates.all_tokens_ids(clinic_id, *exchanged).first(MOST))
        if families and self.date_of_birth:
            born = {(tokens.BIRTH, self.date_of_birth.isoformat())}
            parts.append(candidates.all_tokens_ids(clinic_id, born, families | givens).first(MOST))
        return union(*parts)

    def _by_numbers(self, clinic_id: UUID) -> IdSet:
        pieces = {(tokens.PHONE, ending) for ending in tokens.phone_endings(self.phone)[:1]}
        if self.national_id:
            pieces.add((tokens.IDENTITY, code_form(self.national_id)))
        if self.email:
            pieces.add((tokens.EMAIL, tokens.email_form(self.email)))
        if self.mrn:
            pieces |= {(tokens.RECORD, piece) for piece in tokens.record_pieces(self.mrn)}
        return candidates.any_token_ids(clinic_id, pieces).first(MOST)

    def compared(self, patient: Patient) -> Duplicate | None:
        reasons = [reason for reason, agrees in self._agreements(patient) if agrees]
        identifying = set(reasons) - {"date_of_birth"}
        if not identifying:
            return None
        strong = any(combination <= set(reasons) for combination in STRONG)
        return Duplicate(patient, reasons, "strong" if strong else "weak")

    def _agreements(self, patient: Patient) -> list[tuple[str, bool]]:
        same_name = self._same_name(patient)
        return [
            ("mrn", bool(self.mrn) and bool(tokens.record_pieces(self.mrn) & tokens.record_pieces(patient.mrn))),
            ("national_id", bool(self.national_id) and same_code(self.national_id, patient.national_id)),
            ("phone", bool(self.phone) and self.phone in (patient.phone, patient.phone_alt)),
            ("email", bool(self.email) and tokens.email_form(self.email) == tokens.email_form(patient.email)),
            ("name", same_name),
            ("similar_name", not same_name and self._similar_name(patient)),
            ("date_of_birth", self.date_of_birth is not None and self.date_of_birth == patient.date_of_birth),
        ]

    def _same_name(self, patient: Patient) -> bool:
        own = (patient.given_norm, patient.family_norm)
        return bool(name_parts(self.family_name)) and (sort_form(self.given_name), sort_form(self.family_name)) == own

    def _similar_name(self, patient: Patient) -> bool:
        """Both parts alike, also when they were exchanged, or when the preferred name was given."""
        given, family = self.given_name, self.family_name
        straight = alike_names(family, patient.family_name) and (
            alike_names(given, patient.given_name) or alike_names(given, patient.preferred_name)
        )
        return straight or (alike_names(given, patient.family_name) and alike_names(family, patient.given_name))


def _slips(name: str) -> set[tuple[str, str]]:
    return {(tokens.SLIP, variant) for word in tokens.spellings(name) for variant in tokens.slips(word)}


def _starts_and_sounds(name: str) -> set[tuple[str, str]]:
    words = tokens.spellings(name)
    sounds = {(tokens.SOUND, sound) for word in words if (sound := tokens.sound(word))}
    return sounds | {(tokens.PREFIX, word[: tokens.SHORTEST_PREFIX]) for word in words}
