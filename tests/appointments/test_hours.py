"""Settings of scheduling through the API: services, weekly hours, exceptions, holidays; what they change and what they refuse."""

from typing import Any
from uuid import UUID

import pytest

from appointments.models import Schedule
from appointments.services import replace_week
from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.errors import ValidationFailed
from tests.factories.api_client import ApiClient
from tests.factories.visits import at
from tests.factories.world import Place

NOBODY = "01900000-0000-7000-8000-000000000000"  # always the same: parallel workers collect the same tests


@pytest.fixture
def boss(riverside: Place) -> ApiClient:
    return ApiClient(riverside.users[Role.CLINIC_ADMIN])


def bodies(place: Place) -> dict[str, dict[str, Any]]:
    provider, location, room = str(place.providers[0].pk), str(place.locations[0].pk), str(place.rooms[0].pk)
    return {
        "services": {
            "name": "Physiotherapy", "duration_minutes": 40, "price": {"amount": "60.50", "currency": place.clinic.currency},
            "offered_by": [provider],
        },
        "schedules": {
            "provider": provider, "location": location, "room": room, "weekday": 2, "start_time": "19:00", "end_time": "21:00",
        },
        "schedule-exceptions": {
            "provider": provider, "kind": "extra", "first_day": "2027-03-01", "last_day": "2027-03-02",
            "start_time": "19:00", "end_time": "22:00", "location": location,
        },
        "holidays": {"day": "2027-12-25", "name": "Christmas Day", "location": None},
    }  # fmt: skip


RESOURCES = {"services": "service", "schedules": "schedule", "schedule-exceptions": "schedule", "holidays": "schedule"}
CHANGES: dict[str, dict[str, Any]] = {
    "services": {"duration_minutes": 50, "offered_by": []},
    "schedules": {"end_time": "22:00"},
    "schedule-exceptions": {"reason": "conference"},
    "holidays": {"name": "Xmas"},
}


@pytest.mark.parametrize("path", RESOURCES)
def test_made_read_changed_and_deleted(boss: ApiClient, riverside: Place, path: str) -> None:
    made = boss.post(path, bodies(riverside)[path])
    assert made.status_code == 201, made.json()
    address = f"{path}/{made.json()['data']['id']}"
    assert boss.get(address).json()["data"] == made.json()["data"]
    changed = boss.patch(address, CHANGES[path], If_Match=made["ETag"])
    assert changed.status_code == 200, changed.json()
    for name, value in CHANGES[path].items():
        assert changed.json()["data"][name] == value
    assert boss.patch(address, CHANGES[path], If_Match=made["ETag"]).status_code == 412
    if path == "services":
        assert boss.delete(address).status_code == 405
        assert boss.request("PUT", address, {}).status_code == 405
        assert boss.request("OPTIONS", address).status_code < 500
    else:
        assert boss.delete(address).status_code == 204
        assert boss.get(address).status_code == 404


@pytest.mark.parametrize("path", RESOURCES)
def test_another_clinics_records_are_not_there(boss: ApiClient, riverside: Place, hillcrest: Place, path: str) -> None:
    made = boss.post(path, bodies(riverside)[path]).json()["data"]["id"]
    stranger = ApiClient(hillcrest.users[Role.CLINIC_ADMIN])
    for key in (made, UUID(NOBODY), "no-id"):
        assert stranger.get(f"{path}/{key}").status_code == 404
        assert stranger.patch(f"{path}/{key}", CHANGES[path]).status_code == 404
        assert stranger.delete(f"{path}/{key}").status_code in (404, 405)
    assert made not in [row["id"] for row in stranger.get(f"{path}?limit=100").json()["data"]]


@pytest.mark.parametrize("path", RESOURCES)
@pytest.mark.parametrize("role", sorted(CLINIC_ROLES))
def test_who_may(riverside: Place, boss: ApiClient, role: Role, path: str) -> None:
    person, rights = ApiClient(riverside.users[role]), MATRIX[RESOURCES[path]]
    assert (person.get(path).status_code == 200) == (role in rights["view"])
    assert (person.post(path, bodies(riverside)[path]).status_code == 201) == (role in rights["create"])


BAD: list[tuple[str, str, Any]] = [
    *[("services", "name", value) for value in ("", None, 5, "x" * 121, "a\x00", "\ud800", "Consultation")],
    *[("services", "duration_minutes", value) for value in (0, 4, 721, "long", None, 10**12)],
    *[("services", "buffer_after_minutes", value) for value in (-1, 241)],
    *[("services", "price.amount", {"amount": value, "currency": "GBP"}) for value in ("-1", "a", "1.234", "1e12")],
    ("services", "price.currency", {"amount": "1.00", "currency": "USD"}),
    *[("services", "tone", value) for value in ("purple", None)],
    *[("services", "room_kind", value) for value in ("garage",)],
    *[("services", "offered_by", value) for value in ([NOBODY], "x")],
    ("services", "owner", "me"),
    *[("schedules", "provider", value) for value in (None, "x", NOBODY)],
    *[("schedules", "location", value) for value in (None, NOBODY)],
    *[("schedules", "room", value) for value in (NOBODY, "x")],
    *[("schedules", "weekday", value) for value in (7, -1, "Monday")],
    *[("schedules", "start_time", value) for value in ("25:00", None, "19:00:30", "08:00")],
    *[("schedules", "slot_minutes", value) for value in (0, 1000)],
    *[("schedules", "valid_from", value) for value in ("2026-02-30", "soon")],
    *[("schedule-exceptions", "kind", value) for value in ("holiday", None)],
    *[("schedule-exceptions", "last_day", value) for value in ("2027-02-01", "2035-01-01", None)],
    *[("schedule-exceptions", name, None) for name in ("start_time", "end_time", "location")],
    *[("schedule-exceptions", "reason", value) for value in ("x" * 201, None, "\x00")],
    *[("holidays", "day", value) for value in ("2027-02-30", None, 5)],
    *[("holidays", "name", value) for value in ("", "x" * 121)],
    *[("holidays", "location", value) for value in (NOBODY, "x")],
]


@pytest.mark.parametrize(("path", "field", "value"), BAD)
def test_bad_input_names_the_field(boss: ApiClient, riverside: Place, path: str, field: str, value: Any) -> None:
    answer = boss.post(path, bodies(riverside)[path] | {field.split(".")[0]: value})
    assert answer.status_code == 400, answer.json()
    assert {detail["field"].rstrip(".0") for detail in answer.json()["error"]["details"]} == {field}


def test_references_of_another_clinic_are_not_found(boss: ApiClient, riverside: Place, hillcrest: Place) -> None:
    body = bodies(hillcrest)["schedules"]
    details = boss.post("schedules", body).json()["error"]["details"]
    assert {(d["field"], d["code"]) for d in details} == {(name, "not_found") for name in ("provider", "location", "room")}
    other_room = bodies(riverside)["schedules"] | {"room": str(riverside.rooms[2].pk)}
    assert boss.post("schedules", other_room).json()["error"]["details"][0]["code"] == "wrong_location"


def test_two_holidays_on_a_day_are_refused(boss: ApiClient, riverside: Place) -> None:
    body = bodies(riverside)["holidays"]
    assert boss.post("holidays", body).status_code == 201
    assert boss.post("holidays", body).json()["error"]["details"][0]["field"] == "day"
    assert boss.post("holidays", body | {"location": str(riverside.locations[0].pk)}).status_code == 201


def test_hours_decide_what_is_free(boss: ApiClient, riverside: Place) -> None:
    day = at(riverside, 5, 9).date()
    provider, service = riverside.providers[0].pk, riverside.services[1].pk

    def free() -> list[str]:
        rows = boss.get(f"slots?service={service}&provider={provider}&from={day}&to={day}").json()["data"]
        return [row["start"][11:16] for row in rows]

    assert (free()[0], free()[-1]) == ("08:00", "17:50")
    away = {"provider": str(provider), "kind": "off", "first_day": str(day), "last_day": str(day)}
    lunch = boss.post("schedule-exceptions", away | {"start_time": "12:00", "end_time": "13:00"})
    assert lunch.status_code == 201, lunch.json()
    assert "11:50" in free()
    assert not [start for start in free() if start.startswith("12")]
    boss.post("schedule-exceptions", away)
    assert free() == []
    extra = {"kind": "extra", "start_time": "20:00", "end_time": "20:30", "location": str(riverside.locations[1].pk)}
    boss.post("schedule-exceptions", away | extra)
    assert free() == ["20:00", "20:10", "20:20"]
    boss.post("holidays", {"day": str(day), "name": "Closed", "location": str(riverside.locations[1].pk)})
    assert free() == []


def test_a_week_is_replaced_as_a_whole(in_riverside: Place) -> None:
    actor, provider = in_riverside.actor(Role.CLINIC_ADMIN), in_riverside.providers[0]
    block = {"location": in_riverside.locations[0].pk, "weekday": 0, "start_time": at(in_riverside, 0, 9).time()}
    good = [
        block | {"end_time": at(in_riverside, 0, 12).time()},
        block | {"weekday": 1, "end_time": at(in_riverside, 0, 12).time()},
    ]
    replace_week(actor=actor, provider_id=provider.pk, blocks=good)
    assert Schedule.objects.filter(provider=provider).count() == 2
    with pytest.raises(ValidationFailed) as refused:
        replace_week(actor=actor, provider_id=provider.pk, blocks=[*good, good[0] | {"weekday": 9, "start_time": None}, good[0]])
    assert sorted(detail.field for detail in refused.value.details) == [
        "blocks.2.start_time",
        "blocks.2.weekday",
        "blocks.3.start_time",
    ]
    assert Schedule.objects.filter(provider=provider).count() == 2


def test_a_night_shift_that_runs_into_the_next_days_hours_is_refused(boss: ApiClient, riverside: Place) -> None:
    body = bodies(riverside)["schedules"] | {"start_time": "22:00", "end_time": "08:30"}
    assert boss.post("schedules", body).json()["error"]["details"][0]["code"] == "overlaps"
    assert boss.post("schedules", body | {"end_time": "08:00"}).status_code == 201
