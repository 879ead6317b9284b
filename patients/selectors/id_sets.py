"""Sets of record ids: pieces of SQL that are combined before anything is asked.

They stand here as text because a search combines a handful of them, and to build and compile that many querysets takes longer
than PostgreSQL takes to answer. How many values are asked for does not show in the text, so a statement is prepared once.
Only `=`, `<` and `>=` appear: under row-level security PostgreSQL uses an index only for operators it trusts not to leak.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.db import connections, router

from patients.models import Patient

BEGINNING = {
    "family_norm": (
        "SELECT id FROM patients_patient WHERE clinic_id = %s AND family_norm >= %s AND family_norm < %s "
        "ORDER BY family_norm, given_norm, id"
    ),
    "given_norm": (
        "SELECT id FROM patients_patient WHERE clinic_id = %s AND given_norm >= %s AND given_norm < %s "
        "ORDER BY given_norm, family_norm, id"
    ),
}
HIGHEST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class IdSet:
    """A statement that gives record ids of one clinic. Nothing is asked before `ids`."""

    statement: str
    parameters: tuple[Any, ...]
    most: int | None = None

    @property
    def sql(self) -> str:
        return self.statement if self.most is None else f"{self.statement} LIMIT {self.most}"

    def first(self, most: int) -> "IdSet":
        """So many of them at most; the first, where they have an order."""
        return replace(self, most=most if self.most is None else min(most, self.most))

    def ids(self) -> list[UUID]:
        """The ids, in no order that counts. One query."""
        with connections[router.db_for_read(Patient)].cursor() as cursor:
            cursor.execute(self.sql, self.parameters)
            return [row[0] for row in cursor.fetchall()]


def union(*sets: IdSet) -> IdSet:
    return _combined("UNION", sets)


def intersection(*sets: IdSet) -> IdSet:
    return _combined("INTERSECT", sets)


def _combined(how: Literal["UNION", "INTERSECT"], sets: Sequence[IdSet]) -> IdSet:
    if len(sets) == 1:
        return sets[0]
    return IdSet(f" {how} ".join(f"({one.sql})" for one in sets), tuple(value for one in sets for value in one.parameters))


def with_token(clinic_id: UUID, tokens: Sequence[int]) -> IdSet:
    """Records with any of the tokens."""
    sql = "SELECT patient_id FROM patients_patienttoken WHERE clinic_id = %s AND token = ANY(%s::bigint[])"
    return IdSet(sql, (clinic_id, list(tokens)))


def named(clinic_id: UUID, *, given: str, family: str) -> IdSet:
    """Records whose sorted names are exactly these."""
    sql = "SELECT id FROM patients_patient WHERE clinic_id = %s AND family_norm = %s AND given_norm = %s"
    return IdSet(sql, (clinic_id, family, given))


def beginning_with(clinic_id: UUID, part: Literal["family_norm", "given_norm"], word: str) -> IdSet:
    """Records whose name begins with the word, in the order of the index that holds them."""
    return IdSet(BEGINNING[part], (clinic_id, word, word + HIGHEST))


def born_in(clinic_id: UUID, year: int) -> IdSet:
    sql = "SELECT id FROM patients_patient WHERE clinic_id = %s AND date_of_birth >= %s AND date_of_birth <= %s"
    return IdSet(sql, (clinic_id, date(year, 1, 1), date(year, 12, 31)))
