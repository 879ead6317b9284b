"""Every route that is read, walked from the URL conf: whom it shows stands in the access log, once, and nobody else does."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client, override_settings

from core.accounts.roles import Role
from core.health.middleware import BY_TOKEN
from core.tenancy.context import clinic_scope
from patients.models import Patient
from patients.services import register_patient
from tests.factories.access_log import Written, people_in, taken_events
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.patients import patient_data
from tests.factories.routes import Route, routes
from tests.factories.visits import at, book
from tests.factories.world import Place, World
from tests.performance.test_query_budgets import NEEDS, _signed_in, is_no_read

TOKEN = "t" * 40
READS = [route for kind in ("api", "api-v1", "page", "open", "admin") for route in routes(kind, methods=("GET",))]


@pytest.fixture
def busy(riverside: Place) -> Place:
    """Riverside with visits today and later, of people with names of their own."""
    with clinic_scope(riverside.clinic, reason="test"):
        for number, family in enumerate(("Abelson", "Bracknell", "Cholmondeley", "Drummond")):
            data = patient_data(given_name=f"Perpetua{number}", family_name=family, phone=f"+4477009002{number:02d}")
            patient = register_patient(actor=riverside.actor(Role.CLINIC_ADMIN), data=data)
            visit = book(riverside, at(riverside, 21, 9 + number), patient_id=patient.pk)
            if number % 2:
                visit.local_day, moved = at(riverside, 0, 12).date(), at(riverside, 0, 12) - visit.start
                visit.start, visit.end = visit.start + moved, visit.end + moved
                visit.save()
        yield riverside


def everybody() -> list[Patient]:
    return list(Patient.objects.all())


def read(route: Route, place: Place, world: World) -> tuple[Any, str]:
    path = filled(route, place)
    url = path + NEEDS.get(route.path, lambda p: "")(place)
    user = place.users[Role.CLINIC_ADMIN]
    if route.kind.startswith("api"):
        return ApiClient(user).get(url), path
    if path in BY_TOKEN:
        with override_settings(HMS_MONITORING_TOKEN=TOKEN):
            return Client(headers={"Authorization": f"Bearer {TOKEN}"}).get(url), path
    answer = _signed_in(user, place).get(url)
    if route.kind == "admin" and answer.status_code == 403:
        answer = _signed_in(world.platform[Role.SUPER_ADMIN], place).get(url)
    return answer, path


def test_whom_a_route_shows_is_written_down_once(busy: Place, world: World) -> None:
    wrong, showing = {}, set()
    for route in READS:
        filled(route, busy)  # makes the record that the address names, if there is none
        taken_events()
        answer, path = read(route, busy, world)
        events = taken_events()
        shown = set() if is_no_read(route, answer.status_code) else people_in(answer, path, everybody())
        if shown:
            showing.add(route.path)
        well = (200, 503) if path in BY_TOKEN else (200,)  # no clock ticks here, and health says so
        if not is_no_read(route, answer.status_code) and answer.status_code not in well:
            wrong[route.id] = f"{answer.status_code} {answer.content[:200]!r}"
        elif [set(event.patients) for event in events] != ([shown] if shown else []):
            wrong[route.id] = f"shows {names(shown)}, wrote {[names(event.patients) for event in events]}"
        elif events:
            check(events[0], answer, route)
    assert wrong == {}
    assert len(showing) > 40  # else nothing would have been tried
    assert {"/", "/patients/", "/calendar/", "/api/v2/patients", "/api/v2/appointments/{pk}/history"} <= showing


@pytest.mark.parametrize("fields", ["status", "id", "start,end"])
def test_an_answer_of_few_fields_is_written_down_all_the_same(fields: str, busy: Place) -> None:
    api = ApiClient(busy.users[Role.CLINIC_ADMIN])
    every = {UUID(row["patient"]["id"]) for row in api.get("appointments").json()["data"]}
    taken_events()
    answer = api.get(f"appointments?fields={fields}")
    assert answer.status_code == 200 and set(answer.json()["data"][0]) == set(fields.split(","))
    assert [set(event.patients) for event in taken_events()] == [every]


def names(patients: Any) -> list[str]:
    return sorted(one.mrn for one in everybody() if one.pk in patients)


def check(event: Written, answer: Any, route: Route) -> None:
    assert (event.method, event.status, event.request_id) == ("GET", 200, answer["X-Request-ID"])
    assert event.route.rpartition(":")[2] == route.name, route.id
    assert event.address == "127.0.0.1"
    assert event.user_id
