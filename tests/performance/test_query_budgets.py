"""Every page and every endpoint: the same number of statements for one row as for many, and never more than twelve.

`HMS_UPDATE_BASELINES=1 pytest tests/performance` writes the numbers anew; the file is committed, so a change shows.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.routes import Route, routes
from tests.factories.world import Place, World

BASELINES = Path(__file__).parent.parent / "baselines" / "queries.json"
BUDGET = 12
READS = [*routes("api", methods=("GET",)), *routes("page", methods=("GET",))]
NEEDS = {  # a route that answers nothing without a parameter
    "/api/v2/slots": lambda p: f"?service={p.services[0].pk}&from=2031-03-03&to=2031-03-09",
    "/api/v2/providers/{id}/availability": lambda p: "?from=2031-03-03&to=2031-03-09",
    "/api/v2/patients/search": lambda p: "?query=an",
}


def by_id(route: Route) -> str:
    return route.id


def read(route: Route, place: Place) -> tuple[int, int]:
    """(status, statements) of one GET by the clinic administrator, who may read everything."""
    url = filled(route, place) + NEEDS.get(route.path, lambda p: "")(place)
    user = place.users[Role.CLINIC_ADMIN]
    if route.kind == "api":
        answer: Any = ApiClient(user).get(url)
    else:
        client = Client()
        client.force_login(user)
        answer = client.get(url)
    counted = re.search(r'desc="(\d+) queries"', answer["Server-Timing"])
    assert counted
    return answer.status_code, int(counted[1])


@pytest.mark.parametrize("route", READS, ids=by_id)
def test_many_rows_cost_as_many_statements_as_one(route: Route, world: World) -> None:
    place = world.riverside
    status, few = read(route, place)
    if status in (302, 303, 405):
        pytest.skip("answers POST, or sends elsewhere")
    assert status == 200, f"{route.id} answered {status}: add what it needs to NEEDS"
    grow(place)
    assert read(route, place) == (200, few)
    assert few <= BUDGET
    check_baseline(route, few)


def check_baseline(route: Route, count: int) -> None:
    known = json.loads(BASELINES.read_text()) if BASELINES.exists() else {}
    if os.environ.get("HMS_UPDATE_BASELINES"):
        known[route.id] = count
        BASELINES.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    assert known.get(route.id) == count, f"baseline {known.get(route.id)}, now {count}: see the top of this file"
