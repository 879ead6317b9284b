"""Patients over HTTP: shapes, roles, filters, versions, what is refused."""

import re
from typing import Any

import pytest

from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.tenancy.context import clinic_scope
from patients.models import Patient, PatientAccount
from patients.services import register_patient
from tests.factories.api_client import ApiClient
from tests.factories.patients import PEOPLE, patient_data
from tests.factories.world import Place, World

FULL: dict[str, Any] = {
    "given_name": "Zoë 🩺",
    "family_name": "כהן",
    "middle_name": "",
    "preferred_name": "Zo",
    "date_of_birth": "1985-06-15",
    "sex": "female",
    "gender": "woman",
    "blood_type": "O-",
    "phone": "020 7946 0018",
    "phone_alt": "+33 1 23 45 67 89",
    "email": "zoe@example.org",
    "address": {"line1": "1 <High> Street", "line2": "", "city": "Bath", "region": "", "postal_code": "BA1 1AA", "country": "GB"},
    "national_id": "QQ 12 34 56 C",
    "insurance": {"provider": "Mutual & Sons", "policy_number": "P-1", "valid_until": "2031-12-31"},
    "emergency_contact": {"name": "Otto", "relationship": "husband", "phone": "07700 900999"},
    "language": "he",
    "needs_interpreter": True,
    "preferences": {
        "reminder_channels": ["sms", "email"],
        "quiet_hours": {"start": "22:00:00", "end": "07:00:00"},
        "provider_id": None,
        "time_of_day": "morning",
    },
    "notes": "  BP <90\n& rising ",
    "status": "active",
}


def desk(place: Place) -> ApiClient:
    return ApiClient(place.users[Role.RECEPTIONIST])


def details(answer: Any) -> dict[str, str]:
    return {detail["field"]: detail["code"] for detail in answer.json()["error"]["details"]}


def found(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["mrn"] for row in answer.json()["data"]]


def test_what_is_registered_comes_back_as_sent(riverside: Place) -> None:
    created = desk(riverside).post("patients", FULL)
    assert created.status_code == 201, created.content
    data = desk(riverside).get(f"patients/{created.json()['data']['id']}").json()["data"]
    expected = {**FULL, "phone": "+442079460018", "phone_alt": "+33123456789"}
    expected["emergency_contact"] = {**FULL["emergency_contact"], "phone": "+447700900999"}
    assert {name: data[name] for name in expected} == expected
    assert (data["mrn"], data["version"]) == ("RV-0000007", 1)
    assert created["ETag"].startswith('"1-')


def test_what_was_read_can_be_sent_back_unchanged(riverside: Place) -> None:
    key = desk(riverside).post("patients", FULL).json()["data"]["id"]
    data = desk(riverside).get(f"patients/{key}").json()["data"]
    body = {name: data[name] for name in FULL}
    assert desk(riverside).patch(f"patients/{key}", body).json()["data"] == data


def test_every_wrong_field_is_named_at_once_also_inside(riverside: Place) -> None:
    body = {
        "given_name": 7,
        "date_of_birth": "2971-01-01",
        "sex": "x",
        "phone": "12",
        "email": "a\0b",
        "notes": "\ud800",
        "address": {"line1": {}, "country": "ZZ", "planet": "Mars"},
        "preferences": {"provider_id": "x", "quiet_hours": {"start": "25:00"}, "reminder_channels": ["pigeon"]},
        "consents": {"treatment": "perhaps"},
        "mrn": "RV-1",
    }
    answer = desk(riverside).post("patients", body)
    assert answer.status_code == 400
    assert details(answer) == {
        "given_name": "invalid",
        "family_name": "required",
        "date_of_birth": "in_future",
        "sex": "invalid_choice",
        "phone": "invalid",
        "email": "null_characters_not_allowed",
        "notes": "surrogate_characters_not_allowed",
        "address.line1": "invalid",
        "address.country": "invalid",
        "address.planet": "unknown_field",
        "preferences.provider_id": "invalid",
        "preferences.quiet_hours.start": "invalid",
        "preferences.reminder_channels.0": "invalid_choice",
        "consents.treatment": "invalid",
        "mrn": "unknown_field",
    }


def test_half_of_the_quiet_hours_and_a_foreign_provider_are_named_as_sent(riverside: Place, hillcrest: Place) -> None:
    preferences = {"quiet_hours": {"start": "22:00"}}
    answer = desk(riverside).post("patients", {**patient_data(), "preferences": preferences})
    assert details(answer) == {"preferences.quiet_hours.end": "required"}
    preferences = {"provider_id": str(hillcrest.providers[0].pk)}
    answer = desk(riverside).post("patients", {**patient_data(), "preferences": preferences})
    assert details(answer) == {"preferences.provider_id": "does_not_exist"}


def test_a_strong_duplicate_is_a_conflict_until_accepted(riverside: Place) -> None:
    body = patient_data(given_name="Priya", family_name="Ramen", date_of_birth="1991-12-24")
    refused = desk(riverside).post("patients", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert refused.json()["error"]["duplicates"][0]["id"] == str(riverside.patients[2].pk)
    assert desk(riverside).post("patients", {**body, "accept_duplicate": True}).status_code == 201


def test_a_change_asks_for_the_version_that_was_read(riverside: Place) -> None:
    path = f"patients/{riverside.patients[0].pk}"
    tag = desk(riverside).get(path)["ETag"]
    changed = desk(riverside).patch(path, {"address": {"city": "Bath"}}, If_Match=tag)
    assert (changed.status_code, changed.json()["data"]["version"]) == (200, 2)
    assert changed.json()["data"]["given_name"] == "Mary"
    stale = desk(riverside).patch(path, {"address": {"city": "Wells"}}, If_Match=tag)
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert desk(riverside).get(path, If_None_Match=changed["ETag"]).status_code == 304


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("mrn=RV-0000001", [0]),
        ("phone=07700%20900102", [2]),
        ("date_of_birth=1938-11-11", [5]),
        ("status=inactive,deceased", []),
        ("updated_since=2099-01-01T00:00:00Z", []),
        ("search=smith%20tom", [5]),
        ("search=0102", [2]),
        ("search=lukaszewsky", [3]),
        ("search=obrien&date_of_birth=1974-08-03", [0]),
        ("search=obrien&date_of_birth=1974-08-04", []),
    ],
)
def test_filters(riverside: Place, query: str, who: list[int]) -> None:
    assert found(desk(riverside).get(f"patients?{query}")) == [riverside.patients[number].mrn for number in who]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("mrn=" + "x" * 30, "mrn"),
        ("phone=abc", "phone"),
        ("date_of_birth=yesterday", "date_of_birth"),
        ("updated_since=2026-01-01", "updated_since"),
        ("status=asleep", "status"),
        ("limit=0", "limit"),
        ("limit=0000251", "limit"),
        ("ordering=phone", "ordering"),
        ("cursor=abc", "cursor"),
        ("search=a&cursor=abc", "cursor"),
        ("surname=a", "surname"),
        ("fields=national_id", "fields"),
    ],
)
def test_a_wrong_parameter_is_named(riverside: Place, query: str, field: str) -> None:
    answer = desk(riverside).get(f"patients?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_REQUEST")
    assert list(details(answer)) == [field]


@pytest.mark.parametrize("text", ["a%00b", "x" * 201, "%01"])
def test_what_cannot_be_searched_for_is_refused(riverside: Place, text: str) -> None:
    assert desk(riverside).get(f"patients?search={text}").status_code == 400


def test_the_three_ways_to_search_find_the_same(riverside: Place) -> None:
    wanted = [riverside.patients[1].mrn]
    assert found(desk(riverside).get("patients?search=cruz%20jos")) == wanted
    assert found(desk(riverside).get("patients/search?query=cruz%20jos")) == wanted
    assert found(desk(riverside).get("/api/patients/search?query=cruz%20jos")) == wanted
    assert found(desk(riverside).post("patients/search", {"search": "cruz jos"})) == wanted
    refused = desk(riverside).post("patients/search", {"search": "", "page": 2})
    assert details(refused) == {"search": "blank", "page": "unknown_field"}


def test_duplicates_are_told_with_their_reasons(riverside: Place) -> None:
    body = {"given_name": "Tomas", "family_name": "Smith Jones", "phone": "07700 900105", "date_of_birth": None}
    rows = desk(riverside).post("patients/duplicates", body).json()["data"]
    assert [(row["patient"]["mrn"], row["strength"]) for row in rows] == [(riverside.patients[5].mrn, "strong")]
    assert set(rows[0]["reasons"]) == {"phone", "similar_name"}


def test_consents_are_noted_and_listed_newest_first(riverside: Place) -> None:
    path = f"patients/{riverside.patients[0].pk}/consents"
    noted = desk(riverside).post(path, {"kind": "messages", "given": False})
    assert noted.status_code == 201
    rows = desk(riverside).get(path).json()["data"]
    assert [(row["kind"], row["given"]) for row in rows] == [("messages", False), ("treatment", True)]
    assert details(desk(riverside).post(path, {"kind": "x", "given": 1})) == {"kind": "invalid_choice", "given": "invalid"}


@pytest.mark.parametrize("path", ["patients", "patients/{id}", "patients/search?query=obrien", "patients/{id}/consents"])
def test_each_role_gets_what_the_matrix_says(riverside: Place, path: str) -> None:
    action = "search" if "search" in path else "view"
    for role, user in riverside.users.items():
        answer = ApiClient(user).get(path.format(id=riverside.patients[0].pk))
        may = role in MATRIX["patient"][action]
        own_only = 200 if path == "patients" else 404
        expected = (own_only if role == Role.PATIENT else 200) if may else 403
        assert answer.status_code == expected, role


def test_a_patient_sees_only_the_own_record(riverside: Place) -> None:
    user = riverside.users[Role.PATIENT]
    assert found(ApiClient(user).get("patients")) == []
    with clinic_scope(riverside.clinic, reason="test"):
        PatientAccount.objects.create(patient=riverside.patients[1], user=user)
    assert found(ApiClient(user).get("patients")) == [riverside.patients[1].mrn]
    assert ApiClient(user).get(f"patients/{riverside.patients[1].pk}").status_code == 200
    assert ApiClient(user).get(f"patients/{riverside.patients[0].pk}").status_code == 404


@pytest.mark.parametrize("path", ["patients", "patients/{id}", "patients/{id}/access-log", "appointments"])
def test_staff_who_are_patients_too_get_what_their_role_gets(riverside: Place, path: str) -> None:
    """Not the own record either, which the page of that name shows to those alone who are nothing else."""
    address = path.format(id=riverside.patients[0].pk)
    for role in sorted(CLINIC_ROLES - {Role.PATIENT}):
        user, membership = riverside.users[role], riverside.memberships[role]
        before = ApiClient(user).get(address)
        with clinic_scope(riverside.clinic, reason="test"):
            PatientAccount.objects.create(patient=riverside.patients[0], user=user)
            membership.roles = [role, Role.PATIENT]
            membership.save()
        after = ApiClient(user).get(address)
        assert (after.status_code, after.json().get("data")) == (before.status_code, before.json().get("data")), role


def test_an_outsider_finds_nothing(world: World) -> None:
    outsider = desk(world.hillcrest)
    patient = world.riverside.patients[0]
    for path in (f"patients/{patient.pk}", f"patients/{patient.pk}/consents", "patients/not-an-id"):
        assert outsider.get(path).status_code == 404
    assert outsider.patch(f"patients/{patient.pk}", {"notes": "x"}).status_code == 404
    assert outsider.post(f"patients/{patient.pk}/consents", {"kind": "messages", "given": True}).status_code == 404
    assert found(outsider.get("patients?phone=%2B447700900100")) == []
    assert found(outsider.get("patients?mrn=RV-0000001")) == []
    assert ApiClient().get("patients").status_code == 401


def statements(answer: Any) -> int:
    return int(re.search(r'desc="(\d+) queries"', answer["Server-Timing"])[1])  # type: ignore[index]


@pytest.mark.parametrize(
    "path", ["patients?limit=100", "patients/search?query=qu&limit=100", "patients?ordering=-updated&limit=99"]
)
def test_many_rows_cost_as_many_statements_as_few(riverside: Place, path: str) -> None:
    actor = riverside.actor(Role.RECEPTIONIST)
    with clinic_scope(riverside.clinic, reason="test"):
        register_patient(actor=actor, data=patient_data())
    few = desk(riverside).get(path)
    with clinic_scope(riverside.clinic, reason="test"):
        for number in range(20):
            data = patient_data(given_name=f"Given{number}", date_of_birth=f"19{number + 50}-01-01")
            register_patient(actor=actor, data=data, accept_duplicate=True)
    many = desk(riverside).get(path)
    assert len(found(many)) >= len(found(few)) + 19
    assert statements(many) == statements(few) <= 6


def test_a_page_of_patients_is_small(riverside: Place) -> None:
    row = len(desk(riverside).get("patients").content) / len(PEOPLE)
    assert row * 25 < 12_000


@pytest.mark.parametrize("ordering", ["name", "-name", "created", "-created", "updated", "-updated", "date_of_birth", "-mrn"])
def test_walking_the_pages_gives_every_row_once_both_ways(riverside: Place, ordering: str) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        twins = [patient_data() for _ in range(7)]
        for data in twins:
            register_patient(actor=riverside.actor(Role.RECEPTIONIST), data=data, accept_duplicate=True)
        everybody = set(Patient.objects.values_list("mrn", flat=True))
    client, forward, cursor = desk(riverside), [], ""
    pages = []
    while True:
        answer = client.get(f"patients?limit=3&ordering={ordering}" + (f"&cursor={cursor}" if cursor else ""))
        pages.append(found(answer))
        page = answer.json()["meta"]["page"]
        forward += pages[-1]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert len(forward) == len(set(forward)) and set(forward) == everybody
    backward = []
    while page["previous"] is not None:
        answer = client.get(f"patients?limit=3&ordering={ordering}&cursor={page['previous']}")
        backward.append(found(answer))
        page = answer.json()["meta"]["page"]
    assert list(reversed(backward)) == pages[:-1]
    whole = found(client.get(f"patients?limit=100&ordering={ordering}"))
    assert whole == forward
    assert client.get(f"patients?ordering=-date_of_birth&cursor={cursor}").status_code == 400
