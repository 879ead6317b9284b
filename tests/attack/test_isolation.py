"""A member of one clinic with the ids of another: nothing is done, nothing is shown, nothing is learnt."""

import json
from typing import Any

import pytest

from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.attack.test_permission_matrix import GUARDED, by_id, call_api, call_page
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled, secrets_of
from tests.factories.routes import Route, routes
from tests.factories.world import World

NOSY = (Role.CLINIC_ADMIN, Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR)
WITH_IDS = [route for route in GUARDED if route.parameters and not route.path.startswith("/drafts/")]
NOBODYS = "01890a5d-ac96-774b-bcce-b302099a8057"


def call(route: Route, user: Any, world: World) -> Any:
    return (call_api if route.kind == "api" else call_page)(route, user, world.riverside)


@pytest.mark.parametrize("route", WITH_IDS, ids=by_id)
def test_another_clinics_record_is_not_found_and_nothing_is_shown(route: Route, world: World) -> None:
    words = secrets_of(world.riverside)
    for role in NOSY:
        answer = call(route, world.hillcrest.users[role], world)
        assert answer.status_code in (403, 404, 405), f"{role}: {answer.status_code} {answer.content[:300]!r}"
        body = answer.content.decode()
        assert not [word for word in words if word in body]


@pytest.mark.parametrize("route", [r for r in WITH_IDS if r.kind == "api"], ids=by_id)
def test_a_foreign_id_and_an_unknown_id_look_alike(route: Route, world: World) -> None:
    user = world.hillcrest.users[Role.CLINIC_ADMIN]
    foreign = filled(route, world.riverside)
    unknown = "/".join(NOBODYS if len(part) == 36 else part for part in foreign.split("/"))
    told = []
    for path in (foreign, unknown):
        answer = ApiClient(user).request(route.method, path, None if route.method in ("GET", "DELETE") else {})
        body = json.loads(answer.content)["error"]
        told.append((answer.status_code, body["code"], body["message"], str(body["details"]).replace(NOBODYS, "")))
    assert told[0] == told[1]


@pytest.mark.parametrize("route", routes("api", methods=("GET",)), ids=by_id)
def test_naming_another_clinic_is_refused(route: Route, world: World) -> None:
    user = world.hillcrest.users[Role.CLINIC_ADMIN]
    assert ApiClient(user).get(filled(route, world.riverside), X_Clinic_ID="riverside").status_code == 403


@pytest.mark.parametrize("route", [r for r in routes("api", methods=("GET",)) if not r.parameters], ids=by_id)
def test_lists_hold_only_ones_own(route: Route, world: World) -> None:
    words = secrets_of(world.riverside)
    for role in NOSY:
        body = ApiClient(world.hillcrest.users[role]).get(route.path).content.decode()
        assert not [word for word in words if word in body]


@pytest.mark.parametrize("model_label", ["patients.Patient", "appointments.Appointment", "clinics.Location"])
def test_the_attacks_left_everything_as_it_was(model_label: str, world: World) -> None:
    from django.apps import apps

    model = apps.get_model(model_label)
    for route in WITH_IDS:
        filled(route, world.riverside)  # every noun has its record before the attack
    with clinic_scope(world.riverside.clinic, reason="test"):
        before = list(model.objects.values().order_by("pk"))
    for route in WITH_IDS:
        if route.method != "GET":
            call(route, world.hillcrest.users[Role.CLINIC_ADMIN], world)
    with clinic_scope(world.riverside.clinic, reason="test"):
        assert list(model.objects.values().order_by("pk")) == before
