"""The settings' overview and the lists of places and people."""

from typing import Any

import pytest

from core.accounts.roles import Role
from tests.factories.world import Place

PATHS = ["/settings/", "/settings/places/", "/settings/people/"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("role", [Role.CLINIC_ADMIN, Role.RECEPTIONIST, Role.AUDITOR])
def test_staff_may_look(role: Role, path: str, sign_in: Any, in_riverside: Place) -> None:
    page = sign_in(in_riverside.users[role]).get(path)
    assert page.status_code == 200
    assert int(page["Server-Timing"].split('desc="')[1].split(" ")[0]) <= 12


@pytest.mark.parametrize("path", PATHS)
def test_patients_and_strangers_may_not(path: str, sign_in: Any, client: Any, in_riverside: Place) -> None:
    assert sign_in(in_riverside.users[Role.PATIENT]).get(path).status_code == 403
    assert client.get(path)["Location"] == f"/sign-in/?next={path}"


def test_places_and_people_are_this_clinics(sign_in: Any, in_riverside: Place, hillcrest: Place) -> None:
    user = in_riverside.users[Role.CLINIC_ADMIN]
    places = sign_in(user).get("/settings/places/").text
    for name in ("Harbour", "Main street", "2 rooms", "General practice"):
        assert name in places
    people = sign_in(user).get("/settings/people/").text
    assert "Dr Ruth Hale" in people
    assert in_riverside.users[Role.NURSE].full_name in people
    assert hillcrest.users[Role.NURSE].full_name not in people
    assert in_riverside.users[Role.PATIENT].full_name not in people


def test_the_menu_leads_to_the_settings_and_marks_where_one_is(sign_in: Any, in_riverside: Place) -> None:
    page = sign_in(in_riverside.users[Role.RECEPTIONIST]).get("/settings/places/").text
    assert '<a href="/settings/" aria-current="page"' in page
