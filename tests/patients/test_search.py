"""The one box: any order, begun, misspelt, numbers, dates; ranked."""

from datetime import date
from typing import Any

import pytest
from django.db import connection

from core.accounts.roles import Role
from core.database.detector import Detector
from core.errors import NotAllowed, ValidationFailed
from patients.choices import PatientStatus
from patients.models import Patient
from patients.selectors import recent_patients, search_patients
from patients.services import register_patient
from tests.factories.patients import patient_data
from tests.factories.visits import make_patient
from tests.factories.world import Place

MARY, JOSE, PRIYA, OYVIND, LEILA, THOMAS = range(6)


def search(place: Place, text: str, **kwargs: Any) -> list[Any]:
    return search_patients(actor=place.actor(Role.RECEPTIONIST), text=text, **kwargs)


def who(place: Place, text: str) -> list[int]:
    numbers = {patient.pk: number for number, patient in enumerate(place.patients)}
    return [numbers[match.patient.pk] for match in search(place, text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("o'brien", [MARY]),
        ("OBRIEN mary", [MARY]),
        ("mary obr", [MARY]),
        ("brien", [MARY]),
        ("ann o’brien", [MARY]),
        ("jose cruz", [JOSE]),
        ("cruz, josé de la", [JOSE]),
        ("DELACRUZ", [JOSE]),
        ("de la", [JOSE]),
        ("j d", [JOSE]),
        ("c", [JOSE]),
        ("øyvind", [OYVIND]),
        ("oyvind lukaszewski", [OYVIND]),
        ("ŁUKASZ", [OYVIND]),
        ("حداد", [LEILA]),
        ("ليلى حداد", [LEILA]),
        ("tom jones", [THOMAS]),
        ("smith-jones", [THOMAS]),
        ("smithjones tho", [THOMAS]),
        ("  raman  ", [PRIYA]),
    ],
)
def test_names_in_any_order_script_and_length(in_riverside: Place, text: str, expected: list[int]) -> None:
    assert who(in_riverside, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("obrein", MARY),
        ("o'brian mary", MARY),
        ("lukaszewsky", OYVIND),
        ("lukazewski oyv", OYVIND),
        ("smth-jones", THOMAS),
        ("tomas smith", THOMAS),
        ("preeya raman", PRIYA),
        ("ramam 1991", PRIYA),
        ("mayr obrien", MARY),
    ],
)
def test_misspelt_names_are_found_first(in_riverside: Place, text: str, expected: int) -> None:
    assert who(in_riverside, text)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0100", [MARY]),
        ("00100", [MARY]),
        ("900100", [MARY]),
        ("07700900100", [MARY]),
        ("07700 900 100", [MARY]),
        ("+44 7700 900100", [MARY]),
        ("(07700) 900-100", [MARY]),
        ("raman 0102", [PRIYA]),
        ("RV-0000003", [PRIYA]),
        ("rv3", [PRIYA]),
        ("rv 0000003", [PRIYA]),
        ("3", [PRIYA]),
        ("0000003", [PRIYA]),
        ("RV-0000099", []),
        ("patient1@example.org", [JOSE]),
        ("PATIENT1@EXAMPLE.ORG", [JOSE]),
        ("99999", []),
    ],
)
def test_numbers_and_addresses(in_riverside: Place, text: str, expected: list[int]) -> None:
    assert who(in_riverside, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1974-08-03", "1974/8/3", "3/8/1974", "8/3/1974", "03.08.1974", "3-8-74", "3 Aug 1974", "3rd August 1974", "Aug 3, 1974",
        "3. august 1974", "03081974", "19740803", "1974", "mary 1974", "o'brien 3/8/1974", "1974-08-03 mary obr",
    ],
)  # fmt: skip
def test_a_birth_date_in_many_spellings(in_riverside: Place, text: str) -> None:
    assert who(in_riverside, text) == [MARY]


@pytest.mark.parametrize("text", ["", "   ", "-", "%", "_", "*", "()", "31/02/1974 x", "\\", "zzzz", "' OR 1=1 --", "٣"])
def test_what_means_nothing_finds_nobody_and_does_no_harm(in_riverside: Place, text: str) -> None:
    assert search(in_riverside, text)[1:] == []


@pytest.mark.parametrize("text", ["a\0", "a\ud800", "a\x07", "x" * 201])
def test_what_cannot_be_stored_cannot_be_searched(in_riverside: Place, text: str) -> None:
    with pytest.raises(ValidationFailed):
        search(in_riverside, text)


def test_exact_before_begun_before_misspelt_and_family_before_given(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    for number, (given, family) in enumerate([("Ann", "Marsh"), ("Ann", "Marshall"), ("Marsh", "Bell"), ("Ann", "Mersh")]):
        data = patient_data(given_name=given, family_name=family, date_of_birth=date(1950 + number, 1, 1))
        register_patient(actor=actor, data=data)
    matches = search(in_riverside, "marsh")
    assert [match.patient.full_name for match in matches] == ["Ann Marsh", "Marsh Bell", "Ann Marshall", "Ann Mersh"]
    assert [match.matched[0].kind for match in matches] == ["exact", "exact", "prefix", "fuzzy"]
    assert [match.matched[0].field for match in matches] == ["family_name", "given_name", "family_name", "family_name"]
    assert [match.patient.full_name for match in search(in_riverside, "marsh", limit=1)] == ["Ann Marsh"]


def test_merged_records_are_not_found(in_riverside: Place) -> None:
    Patient.objects.filter(pk=in_riverside.patients[MARY].pk).update(status=PatientStatus.MERGED)
    assert who(in_riverside, "obrien") == []
    assert in_riverside.patients[MARY] not in recent_patients(actor=in_riverside.actor(Role.NURSE))


@pytest.mark.parametrize("role", [Role.PATIENT, Role.AUDITOR, Role.DATA_ANALYST])
def test_who_may_not_search(in_riverside: Place, role: Role) -> None:
    with pytest.raises(NotAllowed):
        search_patients(actor=in_riverside.actor(role), text="smith")


@pytest.mark.parametrize("text", ["qq123456c", "QQ 123456 C", "90210555", "W-884 12", "w88412", "77012345678", "quill 90210555"])
def test_an_encrypted_number_is_found_by_the_whole_of_it(in_riverside: Place, text: str) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    numbers = [("QQ 12-34-56 C", "90210555"), ("77012345678", "W-88412")]
    people = [
        register_patient(
            actor=actor,
            data=patient_data(date_of_birth=date(1985, 6, day), national_id=identity, insurance_policy_number=policy),
            accept_duplicate=True,
        )
        for day, (identity, policy) in zip((15, 16), numbers, strict=True)
    ]
    wanted = people[0] if text in ("qq123456c", "QQ 123456 C", "90210555", "quill 90210555") else people[1]
    assert [match.patient.pk for match in search(in_riverside, text)] == [wanted.pk]


@pytest.mark.parametrize("text", ["qq12345", "q123456c", "9021055", "0210555", "7701234567", "12345678"])
def test_a_part_of_an_encrypted_number_finds_nobody(in_riverside: Place, text: str) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    for identity, policy in (("QQ123456C", "90210555"), ("77012345678", "W-88412")):
        data = patient_data(national_id=identity, insurance_policy_number=policy)
        register_patient(actor=actor, data=data, accept_duplicate=True)
    assert search(in_riverside, text) == []


def test_another_clinics_patients_are_not_found(in_riverside: Place, hillcrest: Place) -> None:
    assert search(in_riverside, "HC-0000001") == []
    assert search(in_riverside, hillcrest.patients[0].phone) == []


@pytest.mark.parametrize(
    ("text", "most"), [("ob", 2), ("RV-0000001", 2), ("3/8/1974", 2), ("obrien mary", 4), ("obrein", 4), ("zz top xy", 6)]
)
def test_statements(in_riverside: Place, text: str, most: int) -> None:
    from django.db import connection

    counter = Detector()
    with counter.on(connection):
        search(in_riverside, text)
    assert counter.count <= most


def test_of_many_namesakes_the_first_are_shown_and_a_filter_finds_the_last_too(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.RECEPTIONIST)
    given = [f"{first}{second}en" for first in "ABCDEFG" for second in "aeioulrnmt"]
    for number, name in enumerate(given):
        data = patient_data(given_name=name, family_name="Crowder", date_of_birth=date(1920 + number, 1, 1 + number % 28))
        register_patient(actor=actor, data=data, accept_duplicate=True)
    ordered = sorted(given)
    assert [match.patient.given_name for match in search(in_riverside, "crowder", limit=15)] == ordered[:15]
    assert [match.patient.given_name for match in search(in_riverside, "crow", limit=15)] == ordered[:15]
    some = [*ordered[:6], *ordered[-8:]]
    rows = Patient.objects.filter(family_name="Crowder", given_name__in=some)
    assert [match.patient.given_name for match in search(in_riverside, "crowder", within=rows)] == some


def test_a_search_asks_two_statements_that_read_the_same_however_many_are_found(in_riverside: Place) -> None:
    """So PostgreSQL prepares them: another text for each number of people would be planned every time."""
    for number, family in enumerate(["Marchetti"] * 7 + ["Quilter"] * 5):
        make_patient(family_name=family, family_norm=family.lower(), given_name="Ottilie", given_norm=f"ottilie {number}")
    asked: list[list[str]] = []

    def note(execute: Any, text: Any, *rest: Any) -> Any:
        asked[-1].append(str(text))
        return execute(text, *rest)

    search(in_riverside, "marchetti")  # the clinic's key is known from here on
    with connection.execute_wrapper(note):
        for family, count in (("marchetti", 7), ("quilter", 5)):
            asked.append([])
            assert len(search(in_riverside, family)) == count
    assert len(asked[0]) == 2
    assert asked[0] == asked[1]
