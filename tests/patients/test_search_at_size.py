"""With some thousand patients: every statement goes through an index under row-level security, and slips are forgiven."""

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from core.accounts.actor import Actor, system_actor
from core.database.roles import connected_as
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients import tokens
from patients.models import Patient, PatientToken
from patients.names import name_parts
from patients.selectors import duplicates_of, search_patients
from tests.factories.crowd import FAMILY, crowd

SIZE = 2500
USEFUL = re.compile(r"token|family_norm|given_norm|date_of_birth|\bid\b|mrn|phone")


@pytest.fixture(scope="module")
def thousands(django_db_setup: None, django_db_blocker: Any) -> Iterator[Clinic]:
    """A clinic of its own, committed and analysed by the owner, and taken away again."""
    with django_db_blocker.unblock():
        with connected_as("hms_owner"):
            clinic = Clinic.objects.create(
                slug="crowd", name="Crowd", time_zone="Europe/London", country="GB", currency="GBP", mrn_prefix="CW"
            )
            with clinic_scope(clinic, reason="test"):
                crowd(clinic, SIZE)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE patients_patient, patients_patienttoken")
    yield clinic
    with django_db_blocker.unblock():
        with connected_as("hms_owner"):
            with clinic_scope(clinic, reason="test"):
                PatientToken.objects.all().delete()
                Patient.objects.all().delete()
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM core_clinic WHERE id = %s", [clinic.pk])


@pytest.fixture
def actor(thousands: Clinic) -> Iterator[Actor]:
    with clinic_scope(thousands, reason="test"):
        yield system_actor(thousands.pk)


class Explained:
    """Keeps the plan of every SELECT that is executed."""

    def __init__(self) -> None:
        self.plans: list[str] = []
        self.busy = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip("(").startswith("SELECT") and not self.busy:
            self.busy = True
            with connection.cursor() as cursor:
                # Of a table this small some planners rightly read all; the question is whether an index can be used.
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("EXPLAIN " + sql, params)
                self.plans.append("\n".join(row[0] for row in cursor.fetchall()))
            self.busy = False
        return execute(sql, params, many, context)


@pytest.mark.parametrize(
    "text",
    [
        "smith", "sm", "o", "smith olivia", "olivia smi", "smiht", "smiht ol", "CW-0000042", "42", "1234", "07712345678",
        "3/8/1974", "1974", "smith 1974", "featherstonehaugh", "zoe feathrstone 0123",
    ],
)  # fmt: skip
def test_every_statement_of_a_search_uses_an_index(actor: Actor, text: str) -> None:
    explained = Explained()
    with connection.execute_wrapper(explained):
        search_patients(actor=actor, text=text)
    assert explained.plans
    assert_indexed(explained.plans)


def test_looking_for_duplicates_uses_indexes(actor: Actor) -> None:
    explained = Explained()
    somebody = Patient.objects.order_by("mrn").first()
    assert somebody is not None
    with connection.execute_wrapper(explained):
        found = duplicates_of(
            actor=actor,
            given_name=somebody.given_name,
            family_name=somebody.family_name,
            date_of_birth=somebody.date_of_birth,
            phone=somebody.phone,
            national_id="QQ123456C",
            email="a@example.org",
        )
    assert found[0].patient == somebody
    assert_indexed(explained.plans)


def assert_indexed(plans: list[str]) -> None:
    for plan in plans:
        assert "Seq Scan on patients_" not in plan, plan
        conditions = re.findall(r"Index Cond: (.*)", plan)
        assert conditions, plan
        assert all(USEFUL.search(condition.replace("clinic_id", "")) for condition in conditions), plan


def test_one_slip_in_the_family_name_is_forgiven(actor: Actor) -> None:
    chance = random.Random(8)
    for family in FAMILY:
        somebody = Patient.objects.filter(family_name=family).order_by("mrn").first()
        assert somebody is not None
        word = "".join(name_parts(family))
        typo = chance.choice(sorted(misspellings(word)))
        for text in (f"{typo} {somebody.given_name}", f"{somebody.given_name[:3]} {typo}"):
            found = [match.patient.pk for match in search_patients(actor=actor, text=text, limit=100)]
            assert somebody.pk in found, f"{somebody.given_name} {family} by {text!r}"


def misspellings(word: str) -> set[str]:
    """One letter wrong, missing, extra or swapped with its neighbour; the first letter as well."""
    made = set()
    for at in range(len(word)):
        made.add(word[:at] + "q" + word[at + 1 :])
        made.add(word[:at] + word[at + 1 :])
        made.add(word[:at] + "q" + word[at:])
        made.add(word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :])
    return {typo for typo in made if len(typo) >= tokens.SHORTEST_PREFIX} - {word}


@given(word=st.text("abcdefghijklmnopqrstuvwxyzأبتд", min_size=4, max_size=20))
def test_a_word_and_its_misspellings_share_a_piece(word: str) -> None:
    stored = tokens.slips(word)
    assert all(stored & tokens.slips(typo) for typo in misspellings(word))
