"""Every route x every role of the matrix, strangers included: exactly those get in whom the matrix lets in."""

from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from core.accounts.api_keys.scopes import SCOPES
from core.accounts.models import Membership
from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from tests.factories.api_client import ApiClient
from tests.factories.api_keys import api_key
from tests.factories.cases import filled, secrets_of
from tests.factories.routes import NEW, OLD, PERSONAL, Route, all_routes, routes
from tests.factories.world import Place, World

GUARDED = [route for route in all_routes() if route.kind in ("api", "page")]
REFUSED = (401, 403)
# Where nobody is asked who they are: what is sent there decides, and a key beside it adds nothing.
ANYBODYS = {"/health", "/api/v2/sse/health", "/api/v2/performance/health"}
ANYBODYS |= {f"/health/{one}" for one in ("live", "ready", "startup", "api", "detailed", "metrics")}
ANYBODYS |= {f"/api/v2/auth/{one}" for one in ("token", "token/refresh", "otp/request", "otp/verify")}


def by_id(route: Route) -> str:
    return route.id


def call_api(route: Route, user: Any, place: Place) -> Any:
    return ApiClient(user).request(route.method, filled(route, place), None if route.method in ("GET", "DELETE") else {})


def call_page(route: Route, user: Any, place: Place) -> Any:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client.generic(route.method, filled(route, place))


def test_there_are_routes_to_walk() -> None:
    assert len(routes("api")) > 30
    assert len(routes("page")) > 12


@pytest.mark.parametrize("route", GUARDED, ids=by_id)
def test_every_guarded_route_names_its_place_in_the_matrix(route: Route) -> None:
    if route.path.startswith("/drafts/"):
        return  # one's own words, for everybody who works in a clinic
    assert route.resource in MATRIX, f"{route.id} names no resource of the matrix"
    assert route.action in MATRIX[route.resource], f"{route.id}: {route.resource} has no action {route.action!r}"


@pytest.mark.parametrize("route", GUARDED, ids=by_id)
def test_a_stranger_is_sent_away(route: Route, world: World) -> None:
    if route.kind == "api":
        assert call_api(route, None, world.riverside).status_code == 401
        return
    answer = call_page(route, None, world.riverside)
    assert answer.status_code == 405 or (answer.status_code == 302 and answer["Location"].startswith("/sign-in/"))


@pytest.mark.parametrize("route", GUARDED, ids=by_id)
def test_every_role_gets_what_the_matrix_says(route: Route, world: World) -> None:
    place = world.riverside
    for role in sorted(CLINIC_ROLES):
        answer = (call_api if route.kind == "api" else call_page)(route, place.users[role], place)
        assert answer.status_code < 500, f"{role}: {answer.content[:300]!r}"
        if answer.status_code == 405:
            continue
        may = route.resource is None or role in MATRIX[route.resource][str(route.action)]
        if not may and route.path == "/":
            assert answer.status_code == 302, f"{role} must be led to a page of their own"
        elif not may:
            assert answer.status_code == 403, f"{role} may not {route.action} {route.resource}, got {answer.status_code}"
        elif role == Role.PATIENT:
            assert answer.status_code != 401  # sees own rows only; others' are not found
        else:
            assert answer.status_code not in REFUSED, f"{role} may {route.action} {route.resource}: {answer.content[:300]!r}"


@pytest.mark.parametrize("pair", list(combinations(sorted(CLINIC_ROLES), 2)), ids=lambda pair: "+".join(pair))
def test_two_roles_give_what_either_gives_and_patient_adds_nothing(pair: tuple[Role, Role], world: World) -> None:
    """What PATIENT opens is narrowed to the own record: beside another role nothing would narrow it."""
    place, user = world.riverside, world.riverside.users[pair[0]]
    both = Membership(clinic=place.clinic, user=user, roles=list(pair)).as_actor(user)
    single = [place.actor(role) for role in pair if role != Role.PATIENT]
    for resource, actions in MATRIX.items():
        for action in actions:
            assert both.can(resource, action) == any(one.can(resource, action) for one in single), f"{resource}:{action}"


@pytest.mark.parametrize("route", routes("api"), ids=by_id)
def test_a_key_gets_what_its_scopes_say(route: Route, world: World) -> None:
    """With the scope alone it is let in; with all others it is refused, and told which it lacks."""
    scope, path = f"{route.resource}:{route.action}", filled(route, world.riverside)
    body = None if route.method in ("GET", "DELETE") else {}
    right = ApiClient(key=api_key(world.riverside, scope)).request(route.method, path, body)
    assert right.status_code < 500 and right.status_code not in REFUSED, right.content[:300]
    wrong = ApiClient(key=api_key(world.riverside, *SCOPES - {scope})).request(route.method, path, body)
    error = wrong.json()["error"]
    assert (wrong.status_code, [one["code"] for one in error["details"]]) == (403, ["scope_required"])
    assert scope in error["message"]


@pytest.mark.parametrize("route", routes("api"), ids=by_id)
def test_a_key_of_another_clinic_finds_nothing(route: Route, world: World) -> None:
    path, body = filled(route, world.riverside), None if route.method in ("GET", "DELETE") else {}
    client = ApiClient(key=api_key(world.hillcrest, *SCOPES))
    assert client.request(route.method, path, body, X_Clinic_ID=world.riverside.clinic.slug).status_code == 403
    answer = client.request(route.method, path, body)
    assert answer.status_code < 500
    assert "{" not in route.path or answer.status_code in (400, 404), answer.content[:300]
    assert [one for one in secrets_of(world.riverside) if one in answer.text] == []


@pytest.mark.parametrize("route", [one for one in all_routes() if one.kind not in ("api", "api-v1")], ids=by_id)
def test_a_key_opens_no_page_and_nothing_of_a_persons(route: Route, world: World) -> None:
    given = {"Authorization": f"Api-Key {api_key(world.riverside, *SCOPES)}"}
    path = route.path.format(pk=uuid4()) if route.path.startswith("/api/") else filled(route, world.riverside)
    answer = Client(raise_request_exception=False).generic(route.method, path, headers=given)
    if route.path.replace(OLD, NEW) in ANYBODYS:
        is_busy = route.path.startswith("/health") and answer.status_code == 503  # so says its own machine, to everybody
        assert answer.status_code < 500 or is_busy
    else:
        assert answer.status_code == 403, f"{answer.status_code} {answer.content[:200]!r}"


@pytest.mark.parametrize("route", GUARDED, ids=by_id)
def test_somebody_of_no_clinic_gets_nothing(route: Route, world: World) -> None:
    answer = (call_api if route.kind == "api" else call_page)(route, world.nobody, world.riverside)
    if route.kind == "api":
        optional = getattr(route.view.cls, "clinic_optional", False)
        assert answer.status_code in ((200, 403, 404) if optional else (400, 403))
    else:
        assert answer.status_code in (200, 405)  # the page that says: choose a clinic
    body = answer.content.decode()
    assert world.riverside.clinic.name not in body


@pytest.mark.parametrize("path", sorted(PERSONAL))
def test_personal_routes_need_a_person(path: str) -> None:
    address = path.replace("{notification_id}", str(uuid4()))
    answer = Client().get(address)
    answer = Client().post(address) if answer.status_code == 405 else answer
    assert answer.status_code in (302, 401)
