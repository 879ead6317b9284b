"""Patients of the test world: believable names of several scripts, with every way to find them."""

from typing import Any

from core.accounts.actor import Actor
from patients.models import Patient
from patients.services import register_patient

PEOPLE: list[dict[str, Any]] = [
    {"given_name": "Mary", "middle_name": "Ann", "family_name": "O'Brien", "date_of_birth": "1974-08-03", "sex": "female"},
    {"given_name": "José", "family_name": "de la Cruz", "date_of_birth": "1980-02-29", "sex": "male"},
    {"given_name": "Priya", "family_name": "Raman", "date_of_birth": "1991-12-24", "sex": "female"},
    {"given_name": "Øyvind", "family_name": "Łukaszewski", "date_of_birth": "1966-05-05", "sex": "male"},
    {"given_name": "ليلى", "family_name": "حداد", "date_of_birth": "2001-01-31", "sex": "female"},
    {"given_name": "Thomas", "preferred_name": "Tom", "family_name": "Smith-Jones", "date_of_birth": "1938-11-11", "sex": "male"},
]
OTHERS: list[dict[str, Any]] = [  # no name of one clinic occurs in the other: a leak shows
    {"given_name": "Walter", "family_name": "Abernathy", "date_of_birth": "1949-04-01", "sex": "male"},
    {"given_name": "Grace", "family_name": "Castellano", "date_of_birth": "1988-10-09", "sex": "female"},
    {"given_name": "Dwayne", "family_name": "Pemberton", "date_of_birth": "1977-07-17", "sex": "male"},
    {"given_name": "美咲", "family_name": "Takahashi", "date_of_birth": "2010-03-03", "sex": "female"},
    {"given_name": "Rosa", "middle_name": "Inés", "family_name": "Villanueva", "date_of_birth": "1995-01-06", "sex": "female"},
    {"given_name": "Robin", "family_name": "Oyelaran", "date_of_birth": "1983-12-12", "sex": "other"},
]
NUMBERS = {"GB": "+4477009001{:02d}", "US": "+1212555011{:d}"}


def register_people(actor: Actor, country: str) -> list[Patient]:
    """Six patients, in the order of PEOPLE (or OTHERS, outside Britain), registered as a receptionist would."""
    people = []
    for number, person in enumerate(PEOPLE if country == "GB" else OTHERS):
        phone = NUMBERS[country].format(number)
        email = f"patient{number}@example.org"
        data = {**person, "phone": phone, "email": email, "consents": {"treatment": True}}
        people.append(register_patient(actor=actor, data=data))
    return people


def patient_data(**changes: Any) -> dict[str, Any]:
    """What register_patient needs at least, and what is asked for."""
    return {"given_name": "Ada", "family_name": "Quill", "date_of_birth": "1985-06-15", "sex": "female", **changes}
