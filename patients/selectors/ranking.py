"""How well a record answers what was typed. Exact before beginning before misspelt; family name before given name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

import jellyfish

from patients import tokens
from patients.models import Patient
from patients.names import code_form, digits_of, name_parts
from patients.selectors.terms import CodeTerm, DateTerm, EmailTerm, NameTerm, NumberTerm, Term

Kind = Literal["exact", "prefix", "fuzzy"]
WEIGHTS: dict[Kind, int] = {"exact": 100, "prefix": 75, "fuzzy": 45}
FIELD_BONUS = {
    "mrn": 20, "national_id": 20, "insurance_policy_number": 20, "email": 10, "phone": 10, "date_of_birth": 10,
    "family_name": 6, "given_name": 3,
}  # fmt: skip
type Unread = Mapping[UUID, Mapping[str, str]]  # record -> code typed -> the encrypted field that it is
CLOSE = 0.80  # Jaro-Winkler above which two words may be the same


@dataclass(frozen=True, slots=True)
class MatchedTerm:
    """One term and where it was found: the field, how, and what was typed (normalised), for highlighting."""

    field: str
    kind: Kind
    text: str

    @property
    def score(self) -> int:
        return WEIGHTS[self.kind] + FIELD_BONUS.get(self.field, 0)


@dataclass(frozen=True, slots=True)
class PatientMatch:
    """A record that was found. `score` compares matches of one search only; 100 and more is as good as typed in full."""

    patient: Patient
    score: float
    matched: tuple[MatchedTerm, ...]

    def as_record(self) -> "PatientMatch":
        """The same with the record in the place of its row."""
        return replace(self, patient=Patient.from_row(self.patient))


def ranked(
    patients: list[Any], terms: list[Term], *, at_least: int, misspelt: bool, unread: Unread | None = None
) -> list[PatientMatch]:
    """The patients (rows of `as_rows`) in whom at least so many of the terms are found, best first.

    `misspelt`: names that are only alike are found as well. `unread`: where an encrypted number is what was typed.
    """
    matches = []
    for patient in patients:
        words = _words_of(patient)
        codes = unread.get(patient.id, {}) if unread else {}
        matched = [found for term in terms if (found := _matched(patient, words, term, misspelt, codes)) is not None]
        if len(matched) >= at_least:
            score = sum(match.score for match in matched) / len(terms)
            matches.append(PatientMatch(patient, round(score, 1), tuple(matched)))
    return sorted(matches, key=_order)


def codes_unfound(patients: list[Any], terms: list[Term]) -> Iterator[str]:
    """What was typed that may be an encrypted number of one of these: no other field of theirs explains it."""
    for term in terms:
        code = code_of(term)
        if code and any(_matched(patient, [], term, False, {}) is None for patient in patients):
            yield code


def code_of(term: Term) -> str:
    """The number that a term may be, whole; "" for a name, a date or an address."""
    return term.identity if isinstance(term, CodeTerm) else term.digits if isinstance(term, NumberTerm) else ""


def _order(match: PatientMatch) -> tuple[float, str, str, str]:
    return (-match.score, match.patient.family_norm, match.patient.given_norm, match.patient.mrn)


def _words_of(patient: Patient) -> list[tuple[str, frozenset[str]]]:
    """Words by field; plain splits come first because most names need no more."""
    return [
        ("family_name", tokens.spellings(patient.family_name)),
        ("given_name", tokens.spellings(patient.given_name)),
        ("preferred_name", tokens.spellings(patient.preferred_name)),
        ("middle_name", tokens.spellings(patient.middle_name)),
    ]


def _matched(
    patient: Patient, words: list[tuple[str, frozenset[str]]], term: Term, misspelt: bool, codes: Mapping[str, str]
) -> MatchedTerm | None:
    match term:
        case NameTerm(word):
            found = [match for field, known in words if (match := _name_match(field, known, word, misspelt)) is not None]
            return max(found, key=lambda match: match.score, default=None)
        case NumberTerm():
            return _number_match(patient, term) or _unread_match(term.digits, codes)
        case DateTerm(days):
            return MatchedTerm("date_of_birth", "exact", str(patient.date_of_birth)) if patient.date_of_birth in days else None
        case CodeTerm(record, identity):
            own = record in tokens.record_pieces(patient.mrn)
            return MatchedTerm("mrn", "exact", identity) if own else _unread_match(identity, codes)
        case EmailTerm(address):
            return MatchedTerm("email", "exact", address) if tokens.email_form(patient.email) == address else None


def _name_match(field: str, known: frozenset[str], word: str, misspelt: bool) -> MatchedTerm | None:
    if word in known:
        return MatchedTerm(field, "exact", word)
    if any(name.startswith(word) for name in known):
        return MatchedTerm(field, "prefix", word)
    if misspelt and len(word) >= tokens.SHORTEST_PREFIX and any(alike(name, word) for name in known):
        return MatchedTerm(field, "fuzzy", word)
    return None


def alike(one: str, other: str) -> bool:
    """One slip apart, or sounding the same and not too different in writing."""
    if one == other:
        return True
    if abs(len(one) - len(other)) <= 1 and jellyfish.damerau_levenshtein_distance(one, other) <= 1:
        return True
    sound = tokens.sound(one)
    return bool(sound) and sound == tokens.sound(other) and jellyfish.jaro_winkler_similarity(one, other) >= CLOSE


def _unread_match(code: str, codes: Mapping[str, str]) -> MatchedTerm | None:
    """An encrypted number is not read to compare: its token is exact."""
    return MatchedTerm(codes[code], "exact", code) if code in codes else None


def _number_match(patient: Patient, term: NumberTerm) -> MatchedTerm | None:
    digits = term.digits
    if (digits.lstrip("0") or "0") in tokens.record_pieces(patient.mrn):
        return MatchedTerm("mrn", "exact", digits)
    if len(digits) >= 4:
        for field in ("phone", "phone_alt"):
            own = digits_of(getattr(patient, field))
            if own and (own.endswith(digits) or (own.endswith(digits.lstrip("0")) and len(digits) > 6)):
                return MatchedTerm(field, "exact" if len(digits) > 6 else "prefix", digits)
    if patient.date_of_birth in term.days:
        return MatchedTerm("date_of_birth", "exact", digits)
    if patient.date_of_birth and patient.date_of_birth.year in term.years:
        return MatchedTerm("date_of_birth", "prefix", digits)
    return None


def same_code(one: str, other: str) -> bool:
    return bool(one) and code_form(one) == code_form(other)


def alike_names(one: str, other: str) -> bool:
    """Are two names, of one or more words each, the same or misspelt? Order of words counts."""
    first, second = name_parts(one), name_parts(other)
    if not first or not second:
        return False
    return alike("".join(first), "".join(second)) or alike(first[0], second[0])
