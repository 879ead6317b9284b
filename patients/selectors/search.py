"""The one box in which patients are found."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from core.accounts.actor import Actor
from core.errors import invalid
from core.tenancy.context import current_clinic_id
from core.validators import clean_name
from patients.models import Patient
from patients.policies import visible_patients
from patients.querysets import PatientQuerySet
from patients.selectors import candidates
from patients.selectors.ranking import MatchedTerm, PatientMatch, ranked
from patients.selectors.terms import NameTerm, Term, terms_of
from patients.tokens import SHORTEST_PREFIX

__all__ = ["MatchedTerm", "PatientMatch", "search_patients"]

LONGEST = 200
FEW = 5  # fewer matches than this, and misspelt names are looked for as well


def search_patients(*, actor: Actor, text: str, limit: int = 20, within: PatientQuerySet | None = None) -> list[PatientMatch]:
    """Patients by what was typed: names in any order, whole, begun or misspelt, end of a phone number, MRN, birth date.

    Best first, at most `limit`; empty for an empty text. `within` narrows further. Raises ValidationFailed for text over
    200 characters or with control characters. Two queries; up to four more when hardly anybody is found.
    """
    actor.require("patient", "search")
    terms = terms_of(_checked(text), today=timezone.localdate())
    if not terms:
        return []
    rows = visible_patients(actor).current() if within is None else within
    found = _first_pass(terms, rows)
    if len(found) < min(FEW, limit) and any(isinstance(term, NameTerm) and len(term.word) >= SHORTEST_PREFIX for term in terms):
        found = _second_pass(terms, rows, found)
    return found[:limit]


def _first_pass(terms: list[Term], rows: PatientQuerySet) -> list[PatientMatch]:
    patients = _load(rows, candidates.beginning_ids(current_clinic_id(), terms))
    return [match for match in ranked(patients, terms, at_least=len(terms)) if not match.is_fuzzy]


def _second_pass(terms: list[Term], rows: PatientQuerySet, found: list[PatientMatch]) -> list[PatientMatch]:
    """Misspelt; and when even that finds nobody, those in whom only a part was found."""
    known = {match.patient.pk for match in found}
    patients = _load(rows, candidates.misspelt_ids(current_clinic_id(), terms))
    found = found + [match for match in ranked(patients, terms, at_least=len(terms)) if match.patient.pk not in known]
    if not found and len(terms) > 1:
        patients = _load(rows, candidates.loose_ids(current_clinic_id(), terms))
        found = ranked(patients, terms, at_least=1)
    return found


def _load(rows: PatientQuerySet, ids: candidates.Ids) -> list[Patient]:
    """Two queries: a nested set operation would lead the planner astray."""
    wanted: list[UUID] = [row[0] for row in ids]
    return list(rows.for_list().filter(pk__in=wanted)) if wanted else []


def _checked(text: str) -> str:
    try:
        return clean_name(text, max_length=LONGEST)
    except ValidationError as error:
        message = str(error.message % error.params if error.params else error.message)
        raise invalid("search", error.code or "invalid", message) from error
