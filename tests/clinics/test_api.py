"""What a clinic consists of, over HTTP: who reads, who writes, what is refused."""

from typing import Any

import pytest

from core.accounts.models import Membership, User
from core.accounts.roles import MATRIX, Role
from core.tenancy.context import clinic_scope
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World

PARTS = ("locations", "departments", "rooms", "providers")


def admin(place: Place) -> ApiClient:
    return ApiClient(place.users[Role.CLINIC_ADMIN])


def details(answer: Any) -> dict[str, str]:
    return {detail["field"]: detail["code"] for detail in answer.json()["error"]["details"]}


def body_of(part: str, place: Place) -> dict[str, Any]:
    return {
        "locations": {"name": "Hill house", "address": "1 Hill\nBath", "phone": "020 7946 0018", "time_zone": "Asia/Kolkata"},
        "departments": {"name": "Cardiology"},
        "rooms": {"name": "R9", "location": str(place.locations[0].pk), "kind": "treatment"},
        "providers": {"name": "Dr Nadia Blum", "kind": "nurse", "department": None},
    }[part]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_made_read_changed_and_listed(riverside: Place, part: str) -> None:
    body = body_of(part, riverside)
    made = admin(riverside).post(part, body)
    assert made.status_code == 201, made.content
    key = made.json()["data"]["id"]
    changed = admin(riverside).patch(f"{part}/{key}", {"name": "Renamed", "is_active": False}, If_Match=made["ETag"])
    assert (changed.status_code, changed.json()["data"]["version"]) == (200, 2)
    read = ApiClient(riverside.users[Role.DOCTOR]).get(f"{part}/{key}").json()["data"]
    expected = {**body, "name": "Renamed", "is_active": False}
    if part == "locations":
        expected["phone"] = "+442079460018"
    assert {name: read[name] for name in expected} == expected
    hidden = [row["id"] for row in admin(riverside).get(f"{part}?is_active=false").json()["data"]]
    assert key in hidden
    stale = admin(riverside).patch(f"{part}/{key}", {"name": "Again"}, If_Match=made["ETag"])
    assert stale.status_code == 412


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("role", [Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR, Role.PATIENT])
def test_others_only_read(riverside: Place, part: str, role: Role) -> None:
    client = ApiClient(riverside.users[role])
    assert client.post(part, body_of(part, riverside)).status_code == 403
    assert client.get(part).status_code == (200 if role in MATRIX[part[:-1]]["view"] else 403)


def test_every_wrong_field_is_named(riverside: Place, hillcrest: Place) -> None:
    body = {"name": "x" * 121, "phone": "abc", "time_zone": "Mars/North", "is_active": "yes", "address": "a\0", "colour": "red"}
    assert details(admin(riverside).post("locations", body)) == {
        "name": "max_length",
        "phone": "invalid",
        "time_zone": "invalid",
        "is_active": "invalid",
        "address": "null_characters_not_allowed",
        "colour": "unknown_field",
    }
    assert details(admin(riverside).post("rooms", {"kind": "kitchen"})) == {
        "location": "required",
        "name": "required",
        "kind": "invalid_choice",
    }
    foreign = {"name": "Dr X", "department": str(hillcrest.locations[0].pk), "user": str(hillcrest.users[Role.DOCTOR].pk)}
    assert details(admin(riverside).post("providers", foreign)) == {"department": "does_not_exist", "user": "does_not_exist"}


def test_a_name_in_use_is_a_conflict_and_leaves_nothing_half_done(riverside: Place) -> None:
    answer = admin(riverside).post("locations", {"name": riverside.locations[0].name})
    assert (answer.status_code, answer.json()["error"]["code"], details(answer)) == (409, "CONFLICT", {"name": "unique"})
    answer = admin(riverside).patch(f"locations/{riverside.locations[1].pk}", {"name": riverside.locations[0].name})
    assert answer.status_code == 409


@pytest.mark.parametrize("part", PARTS)
def test_an_outsider_finds_nothing(world: World, part: str) -> None:
    key = getattr(world.riverside, part)[0].pk if part != "departments" else world.riverside.providers[0].department_id
    assert admin(world.hillcrest).get(f"{part}/{key}").status_code == 404
    assert admin(world.hillcrest).patch(f"{part}/{key}", {"name": "Mine"}).status_code == 404
    assert str(key) not in admin(world.hillcrest).get(part).content.decode()


def test_rooms_and_providers_are_narrowed(riverside: Place) -> None:
    rooms = admin(riverside).get(f"rooms?location={riverside.locations[1].pk}").json()["data"]
    assert {room["location"] for room in rooms} == {str(riverside.locations[1].pk)}
    assert len(rooms) == 2
    assert admin(riverside).get("providers?department=x").status_code == 400
    assert admin(riverside).get("providers?is_active=1").status_code == 400


def test_one_sees_the_clinics_one_belongs_to(world: World) -> None:
    def slugs(user: User) -> list[str]:
        return [row["slug"] for row in ApiClient(user).get("clinics").json()["data"]]

    assert slugs(world.riverside.users[Role.NURSE]) == ["riverside"]
    assert slugs(world.platform[Role.SUPER_ADMIN]) == ["hillcrest", "riverside"]
    locum = User.objects.create_user("two@clinics.test", PASSWORD, full_name="Two Clinics")
    for place in (world.riverside, world.hillcrest):
        with clinic_scope(place.clinic, user_id=locum.pk, reason="test"):
            Membership.objects.create(clinic=place.clinic, user=locum, roles=[Role.DOCTOR])
    assert slugs(locum) == ["hillcrest", "riverside"]
    assert ApiClient(world.nobody).get("clinics").status_code == 403
    nurse = ApiClient(world.riverside.users[Role.NURSE])
    assert nurse.get(f"clinics/{world.riverside.clinic.pk}").json()["data"]["time_zone"] == "Europe/London"
    assert nurse.get(f"clinics/{world.hillcrest.clinic.pk}").status_code == 404


def test_staff_is_for_colleagues_and_memberships_for_administrators(riverside: Place) -> None:
    nurse = ApiClient(riverside.users[Role.NURSE])
    staff = nurse.get("staff?limit=100").json()["data"]
    assert {role for row in staff for role in row["roles"]} == {role.value for role in riverside.users} - {"PATIENT"}
    assert "email" not in staff[0]
    assert nurse.get("memberships").status_code == 403
    assert ApiClient(riverside.users[Role.PATIENT]).get("staff").status_code == 403
    rows = admin(riverside).get("memberships?state=active&limit=100").json()["data"]
    assert {row["email"] for row in rows} == {user.email for user in riverside.users.values()}
