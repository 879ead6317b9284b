"""What HMS reads about patients, by name, and on whom it can be tried."""

from collections.abc import Callable
from datetime import date
from string import ascii_lowercase
from typing import Any
from uuid import UUID

from clinics.operations import as_anybody
from core.accounts.actor import Actor
from core.database.advice import accept
from core.database.optimizer import NoSample, optimizer, which_sample
from core.operations import PEOPLE_STAY
from patients.choices import Sex
from patients.models import Patient
from patients.policies import visible_patients
from patients.selectors import documents_of, duplicates_of, latest_consents, recent_patients, search_patients
from patients.services import register_patient

A_PAGE = 26  # rows, and one to see whether there is more
BY_NAME = ("family_norm", "given_norm", "id")
LETTERS = "^[a-z]{3}"  # names that can be searched by their beginnings
GOLDEN = (5**0.5 - 1) / 2


def some_patient(**having: Any) -> Patient:
    """A current patient of the clinic: the first of the alphabet; for each number of a sample another one. Raises NoSample."""
    people = Patient.objects.current().filter(**having).order_by(*BY_NAME)
    patient: Patient | None = None
    if number := which_sample.get():
        patient = people.filter(
            family_norm__gte=_a_beginning(number), family_norm__regex=LETTERS, given_norm__regex=LETTERS
        ).first()
    patient = patient or people.first()
    if patient is None:
        raise NoSample(f"The clinic has no patient{' with ' + ', '.join(having) if having else ''}.")
    return patient


def _a_beginning(number: int) -> str:
    """Two letters; numbers that follow each other lie far apart in the alphabet."""
    first, second = divmod(int(number * GOLDEN % 1 * len(ascii_lowercase) ** 2), len(ascii_lowercase))
    return ascii_lowercase[first] + ascii_lowercase[second]


def first_page(actor: Actor) -> list[Patient]:
    return list(visible_patients(actor).current().for_list().order_by(*BY_NAME)[:A_PAGE])


def last_page(actor: Actor) -> list[Patient]:
    """As the cursor of the last page asks: backwards from the end."""
    return list(visible_patients(actor).current().for_list().order_by(*(f"-{name}" for name in BY_NAME))[:A_PAGE])


def detail(actor: Actor, patient_id: UUID) -> Patient:
    patient: Patient = visible_patients(actor).for_detail().record(pk=patient_id)
    return patient


def _one() -> dict[str, Any]:
    return {**as_anybody(), "patient_id": some_patient().pk}


def _a_page() -> dict[str, Any]:
    return {**_one(), "limit": A_PAGE}


def _typed(words: Callable[[], str]) -> Callable[[], dict[str, Any]]:
    return lambda: {**as_anybody(), "text": words()}


def _two_words() -> str:
    patient = some_patient()
    return f"{patient.given_name} {patient.family_name}"


def _misspelt() -> str:
    """The given name, and the family name with one letter left out."""
    patient = some_patient()
    family = patient.family_name
    return f"{patient.given_name} {family[:2]}{family[3:]}"


def _end_of_phone() -> str:
    return some_patient(phone__gt="").phone[-7:]


def _new_person() -> dict[str, Any]:
    """Somebody who is like nobody else."""
    born, family = date(1981, 3, 14), f"{some_patient().family_name}qxz"
    return {**as_anybody(), "data": {"given_name": "Ottoline", "family_name": family, "date_of_birth": born, "sex": Sex.FEMALE}}


def _as_new() -> dict[str, Any]:
    known = some_patient()
    names = {"given_name": known.given_name, "family_name": known.family_name}
    return {**as_anybody(), **names, "date_of_birth": known.date_of_birth, "phone": known.phone}


def register() -> None:
    accept("patients_anonymisation(by_id)", PEOPLE_STAY)
    accept("patients_consent(noted_by_id)", PEOPLE_STAY)
    accept("patients_document(added_by_id)", PEOPLE_STAY)
    accept("patients_patientaccount(user_id)", PEOPLE_STAY)
    optimizer.register("patients.list", first_page, as_anybody)
    optimizer.register("patients.list.last_page", last_page, as_anybody)
    optimizer.register("patients.recent", recent_patients, as_anybody)
    optimizer.register("patients.detail", detail, _one)
    optimizer.register("patients.consents", latest_consents, _one)
    optimizer.register("patients.documents", documents_of, _a_page)
    optimizer.register("patients.duplicates", duplicates_of, _as_new)
    optimizer.register("patients.register", register_patient, _new_person, writes=True)
    optimizer.register("patients.search", search_patients, _typed(lambda: some_patient().family_name))
    optimizer.register("patients.search.beginning", search_patients, _typed(lambda: some_patient().family_name[:3]))
    optimizer.register("patients.search.two_words", search_patients, _typed(_two_words))
    optimizer.register("patients.search.misspelt", search_patients, _typed(_misspelt))
    optimizer.register("patients.search.phone", search_patients, _typed(_end_of_phone))
    optimizer.register("patients.search.mrn", search_patients, _typed(lambda: some_patient().mrn))
    optimizer.register("patients.search.birth_date", search_patients, _typed(lambda: str(some_patient().date_of_birth)))
