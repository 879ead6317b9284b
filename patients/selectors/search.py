"""The one box in which patients are found."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from core.accounts.actor import Actor
from core.errors import invalid
from core.tenancy.context import current_clinic_id
from core.validators import clean_name
from patients.names import code_form
from patients.policies import visible_patients
from patients.querysets import PatientQuerySet
from patients.selectors import candidates
from patients.selectors.candidates import FEWEST, MOST
from patients.selectors.id_sets import IdSet
from patients.selectors.ranking import MatchedTerm, PatientMatch, code_of, codes_unfound, ranked
from patients.selectors.terms import CodeTerm, NameTerm, Term, terms_of
from patients.tokens import SHORTEST_PREFIX

__all__ = ["MatchedTerm", "PatientMatch", "search_patients"]

LONGEST = 200
FEW = 5  # fewer matches than this, and misspelt names are looked for as well


def search_patients(*, actor: Actor, text: str, limit: int = 20, within: PatientQuerySet | None = None) -> list[PatientMatch]:
    """Patients by what was typed: names in any order, whole, begun or misspelt, end of a phone number, MRN, birth date.

    Best first, at most `limit`; empty for an empty text. `within` narrows further. Raises ValidationFailed for text over
    200 characters or with control characters. Two queries, one more when a number was typed that may be an encrypted one; up to
    seven more when hardly anybody is found.
    """
    actor.require("patient", "search")
    terms = terms_of(_checked(text), today=timezone.localdate())
    if not terms:
        return []
    rows = visible_patients(actor).current() if within is None else within
    # Nothing of what is found is left out afterwards, so there is no need to rank many more than are shown.
    found = _first_pass(terms, rows, MOST if within is not None else max(FEWEST, limit + limit // 2))
    if len(found) < min(FEW, limit) and any(isinstance(term, NameTerm) and len(term.word) >= SHORTEST_PREFIX for term in terms):
        found = _second_pass(terms, rows, found)
    if not found and len(terms) > 1 and any(map(code_of, terms)):
        found = _first_pass([CodeTerm("", code_form(text))], rows, FEWEST)  # “QQ 12 34 56 C”, as it is printed
    return [match.as_record() for match in found[:limit]]


def _first_pass(terms: list[Term], rows: PatientQuerySet, most: int) -> list[PatientMatch]:
    patients = _load(rows, candidates.beginning_ids(current_clinic_id(), terms, most))
    return _rank(patients, terms, at_least=len(terms), misspelt=False)


def _second_pass(terms: list[Term], rows: PatientQuerySet, found: list[PatientMatch]) -> list[PatientMatch]:
    """Misspelt; and when even that finds nobody, those in whom only a part was found."""
    known = {match.patient.id for match in found}
    patients = _load(rows, candidates.misspelt_ids(current_clinic_id(), terms))
    alike = _rank(patients, terms, at_least=len(terms), misspelt=True)
    found = found + [match for match in alike if match.patient.id not in known]
    if not found and len(terms) > 1:
        patients = _load(rows, candidates.loose_ids(current_clinic_id(), terms))
        found = _rank(patients, terms, at_least=1, misspelt=True)
    return found


def _rank(patients: list[Any], terms: list[Term], *, at_least: int, misspelt: bool) -> list[PatientMatch]:
    """One query when a number was typed that none of the fields read explains: it may be an encrypted one."""
    codes = list(codes_unfound(patients, terms))
    readable = [patient.id for patient in patients if patient.date_of_birth]  # of the others no number may be found out
    unread = candidates.unread_fields(current_clinic_id(), codes, readable) if codes else None
    return ranked(patients, terms, at_least=at_least, misspelt=misspelt, unread=unread)


def _load(rows: PatientQuerySet, wanted: IdSet) -> list[Any]:
    """Rows to rank, hundreds perhaps, of whom a page is shown.

    Two queries: a nested set operation would lead the planner astray.
    """
    ids = wanted.ids()
    return rows.filter(pk__any_of=ids).as_rows() if ids else []


def _checked(text: str) -> str:
    try:
        return clean_name(text, max_length=LONGEST)
    except ValidationError as error:
        message = str(error.message % error.params if error.params else error.message)
        raise invalid("search", error.code or "invalid", message) from error
