"""Who may be registered already, why, and how surely."""

from datetime import date
from typing import Any

import pytest

from core.accounts.roles import Role
from core.errors import NotAllowed
from patients.selectors import duplicates_of
from patients.services import register_patient
from tests.factories.patients import patient_data
from tests.factories.world import Place

NOBODY = {"given_name": "Xaver", "family_name": "Quist"}


def reasons(place: Place, **given: Any) -> list[tuple[str, list[str], str]]:
    found = duplicates_of(actor=place.actor(Role.RECEPTIONIST), **{**NOBODY, **given})
    return [(duplicate.patient.mrn, duplicate.reasons, duplicate.strength) for duplicate in found]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"phone": "+447700900100"}, [("RV-0000001", ["phone"], "weak")]),
        ({"email": "PATIENT1@example.org"}, [("RV-0000002", ["email"], "weak")]),
        ({"mrn": "rv-3"}, [("RV-0000003", ["mrn"], "strong")]),
        ({"given_name": "mary", "family_name": "OBRIEN"}, [("RV-0000001", ["name"], "weak")]),
        (
            {"given_name": "Mary", "family_name": "O'Brien", "date_of_birth": date(1974, 8, 3)},
            [("RV-0000001", ["name", "date_of_birth"], "strong")],
        ),
        (
            {"given_name": "Mari", "family_name": "O'Brian", "date_of_birth": date(1974, 8, 3)},
            [("RV-0000001", ["similar_name", "date_of_birth"], "strong")],
        ),
        (
            {"given_name": "Marry", "family_name": "Obrein", "phone": "+447700900100"},
            [("RV-0000001", ["phone", "similar_name"], "strong")],
        ),
        ({"given_name": "O'Brien", "family_name": "Mary"}, [("RV-0000001", ["similar_name"], "weak")]),
        ({"given_name": "Tom", "family_name": "Smith Jones"}, [("RV-0000006", ["similar_name"], "weak")]),
        ({"given_name": "Jose", "family_name": "De La Cruz"}, [("RV-0000002", ["name"], "weak")]),
        ({"date_of_birth": date(1974, 8, 3)}, []),
        ({"given_name": "Peter", "family_name": "O'Brien"}, []),
        ({}, []),
    ],
)
def test_reasons_and_strength(in_riverside: Place, given: dict[str, Any], expected: list[Any]) -> None:
    assert reasons(in_riverside, **given) == expected


def test_the_national_id_alone_is_enough(in_riverside: Place) -> None:
    patient = register_patient(actor=in_riverside.actor(Role.NURSE), data=patient_data(national_id="QQ 12-34-56 C"))
    assert reasons(in_riverside, national_id="qq123456c") == [(patient.mrn, ["national_id"], "strong")]


def test_the_record_itself_is_left_out(in_riverside: Place) -> None:
    assert reasons(in_riverside, phone="+447700900100", exclude_id=in_riverside.patients[0].pk) == []


def test_strong_ones_come_first(in_riverside: Place) -> None:
    found = reasons(in_riverside, given_name="Priya", family_name="Ramen", date_of_birth=date(1991, 12, 24), phone="+447700900100")
    assert [strength for _, _, strength in found] == ["strong", "weak"]


def test_others_may_not_ask(in_riverside: Place) -> None:
    with pytest.raises(NotAllowed):
        duplicates_of(actor=in_riverside.actor(Role.AUDITOR), **NOBODY)


def test_other_clinics_do_not_count(in_riverside: Place, hillcrest: Place) -> None:
    assert reasons(in_riverside, phone=hillcrest.patients[0].phone, mrn="HC-0000001") == [("RV-0000001", ["mrn"], "strong")]
