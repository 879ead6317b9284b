"""An answer reads the columns that it says: of every list and record of the API, whole and with each single field."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.accounts.roles import Role
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.routes import Route, routes
from tests.factories.world import Place, World

PLANNED = [
    route
    for route in routes("api", methods=("GET",))
    if route.view.actions["get"] in ("list", "retrieve") and route.view.cls.pagination_class is not None
]
ENCRYPTED = ("national_id", "insurance_policy_number")


def by_id(route: Route) -> str:
    return route.id


def statements(place: Place, url: str) -> list[str]:
    client = ApiClient(place.users[Role.CLINIC_ADMIN])
    with CaptureQueriesContext(connection) as sent:
        answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return [query["sql"] for query in sent if query["sql"].startswith("SELECT")]


def fields_of(answer: Any) -> list[str]:
    data = answer.json()["data"]
    return list(data[0] if isinstance(data, list) else data)


@pytest.mark.parametrize("route", PLANNED, ids=by_id)
def test_each_single_field_costs_no_more_statements_than_all(route: Route, world: World) -> None:
    place = world.riverside
    grow(place)
    url = filled(route, place)
    every = len(statements(place, url))
    for field in fields_of(ApiClient(place.users[Role.CLINIC_ADMIN]).get(url)):
        assert len(statements(place, f"{url}?fields={field}")) <= every, field


def test_a_sparse_list_reads_those_columns_alone(world: World) -> None:
    place = world.riverside
    grow(place)
    [sql] = [sql for sql in statements(place, "appointments?fields=start,room") if 'FROM "appointments_appointment"' in sql]
    read = re.findall(r'"(\w+)"\."(\w+)"', sql.split(" FROM ")[0])
    asked = {"id", "start", "room_id", "version", "patient_id"}  # the last for the access log, which says whose visit was shown
    assert {column for table, column in read if table == "appointments_appointment"} == asked
    assert {column for table, column in read if table != "appointments_appointment"} == {"id", "name"}


@pytest.mark.parametrize("path", ["appointments", "patients"])
def test_no_list_reads_what_is_encrypted(path: str, world: World) -> None:
    place = world.riverside
    grow(place)
    for sql in statements(place, path):
        assert not any(f'"{column}"' in sql for column in ENCRYPTED)
