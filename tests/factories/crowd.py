"""Some thousand patients of one clinic, written in bulk: for plans and recall, where registering each would take too long."""

import random
from datetime import date, timedelta

from core.tenancy.models import Clinic
from patients import tokens
from patients.models import Patient, PatientToken
from patients.names import sort_form

GIVEN = (  # noqa: SIM905
    "Olivia Amelia Isla Ava Lily Noah Oliver George Arthur Muhammad Priya Arjun Wei Mei Fatima Omar Chidi Ngozi Kofi Ama "
    "Sofia Mateo Lucía Diego João Inês Łukasz Zofia Søren Astrid Nguyễn Linh Yuki Haruto Siobhán Ciarán Chloé Zoë André Jürgen"
).split()
FAMILY = (  # noqa: SIM905
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Wright Walker Robinson Thompson Hughes Edwards Green Lewis "
    "Khan Clarke Jackson Turner Cooper Morris Okafor Adeyemi Mensah Nkrumah Haddad Rahman Hussain Kowalski Nowak Wiśniewski "
    "García Fernández Rodríguez Müller Schneider Fischer Rossi Bianchi Ferrari Nguyen Tran Chen Wang Zhang Tanaka Suzuki "
    "O'Connor O'Sullivan McCarthy Fitzgerald Featherstone Abernathy Castellanos Papadopoulos Yamamoto Sørensen Lindqvist"
).split()


def crowd(clinic: Clinic, size: int, *, first_number: int = 0) -> list[Patient]:
    """In the clinic's scope. The same people every time."""
    chance = random.Random(1974)
    people = [_person(clinic, first_number + number, chance) for number in range(size)]
    Patient.objects.bulk_create(people, batch_size=1000)
    rows = [
        PatientToken(clinic_id=clinic.pk, patient=person, token=token) for person in people for token in made_of(clinic, person)
    ]
    PatientToken.objects.bulk_create(rows, batch_size=10_000)
    return people


def made_of(clinic: Clinic, person: Patient) -> set[int]:
    return tokens.tokens_of(clinic.pk, person)


def _person(clinic: Clinic, number: int, chance: random.Random) -> Patient:
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    return Patient(
        clinic=clinic,
        mrn=f"{clinic.mrn_prefix}-{number + 1:07d}",
        given_name=given,
        family_name=family,
        given_norm=sort_form(given),
        family_norm=sort_form(family),
        date_of_birth=date(1930, 1, 1) + timedelta(days=chance.randrange(34_000)),
        sex="unknown",
        phone=f"+4477{chance.randrange(10**8):08d}",
    )
