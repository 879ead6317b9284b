"""An answer reads the columns that it says: of every list and record of the API, whole and with each single field."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.accounts.roles import Role
from core.database.optimizer import Recorder, optimizer
from core.tenancy.context import clinic_scope
from core.tenancy.protection import markable
from patients.models import Patient
from tests.architecture.catalogue import rows
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.routes import Route, routes
from tests.factories.world import Place, World
from tests.performance.test_query_budgets import READS, read

pytestmark = pytest.mark.thorough

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


def test_nothing_asks_for_what_a_clinic_may_protect(world: World) -> None:
    """Of every operation and every route, the columns behind FROM: conditions, joins, order. What is sealed can't be asked for."""
    place, asked, read_of_patients = world.riverside, {}, 0
    grow(place)
    columns = "|".join(field.column for field in markable().values() if field.model is Patient)
    for name, sent in _everything_sent(place, world):
        for text in sent:
            if "patients_patient" not in text:
                continue
            read_of_patients += 1
            aliases = "|".join({"patients_patient", *re.findall(r'"?patients_patient"?\s+(?:AS\s+)?"?(\w+)"?', text)})
            wanted = re.findall(rf'(?<![\w"])"?(?:{aliases})"?\."?({columns})"?\b', text.partition(" FROM ")[2])
            if wanted:
                asked[name] = wanted
    assert read_of_patients > 20
    assert asked == {}


def _everything_sent(place: Place, world: World) -> Iterator[tuple[str, list[str]]]:
    for name in optimizer.names():
        with clinic_scope(place.clinic, reason="test"):
            yield name, [one.fingerprint.text for one in optimizer.profile(name).statements]
    for route in READS:
        recorder = Recorder()
        with recorder.on():
            read(route, place, world)
        yield route.id, [one.fingerprint.text for one in recorder.statements]


@pytest.mark.parametrize("mark", list(markable()))
def test_no_index_and_no_constraint_holds_what_a_clinic_may_protect(mark: str, world: World) -> None:
    field = markable()[mark]
    given = (field.model._meta.db_table, field.model._meta.db_table, field.column)
    number = "(SELECT attnum FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s)"
    indexes = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND {} = ANY (indkey)"
    constraints = "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype <> 'n' AND {} = ANY (conkey)"
    assert rows(indexes.format(number), *given) + rows(constraints.format(number), *given) == []
