"""Every page, every endpoint, the admin: the same number of statements for one row as for many, and never more than twelve.

`HMS_UPDATE_BASELINES=1 pytest tests/performance` writes the numbers anew; the file is committed, so a change shows.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from core.accounts.models import User
from core.accounts.roles import Role
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.routes import NEW, OLD, Route, routes
from tests.factories.world import Place, World

BASELINES = Path(__file__).parent.parent / "baselines" / "queries.json"
BUDGET = 12
READS = [route for kind in ("api", "api-v1", "page", "admin") for route in routes(kind, methods=("GET",))]
NEEDS = {  # a route that answers nothing without a parameter
    "/api/v2/slots": lambda p: f"?service={p.services[0].pk}&from=2031-03-03&to=2031-03-09",
    "/api/v2/providers/{id}/availability": lambda p: "?from=2031-03-03&to=2031-03-09",
    "/api/v2/patients/search": lambda p: "?query=an",
    "/admin/autocomplete/": lambda p: "?app_label=appointments&model_name=schedule&field_name=provider",
}
NEEDS |= {path.replace(NEW, OLD): needed for path, needed in NEEDS.items()}


def read(route: Route, place: Place, world: World) -> tuple[int, int]:
    """(status, statements) of one GET by the clinic administrator, who may read everything; in the admin by whom it lets in."""
    url = filled(route, place) + NEEDS.get(route.path, lambda p: "")(place)
    user = place.users[Role.CLINIC_ADMIN]
    if route.kind.startswith("api"):
        return counted(ApiClient(user).get(url))
    status, count = counted(_signed_in(user, place).get(url))
    if route.kind == "admin" and status == 403:
        return counted(_signed_in(world.platform[Role.SUPER_ADMIN], place).get(url))
    return status, count


def counted(answer: Any) -> tuple[int, int]:
    said = re.search(r'desc="(\d+) queries"', answer["Server-Timing"])
    assert said
    return answer.status_code, int(said[1])


def _signed_in(user: User, place: Place) -> Client:
    client = Client()
    client.force_login(user)
    session = client.session
    session["clinic_id"] = str(place.clinic.pk)
    session.save()
    return client


def test_many_rows_cost_as_many_statements_as_one(world: World) -> None:
    place = world.riverside
    ContentType.objects.get_for_models(*apps.get_models())  # Django keeps them in memory from the first use on
    few = {route: read(route, place, world) for route in READS}
    known = {route.id for route in READS if few[route][0] == 200}
    unread = {route.id: status for route, (status, _) in few.items() if status != 200 and not is_no_read(route, status)}
    assert not unread, "add what they need to NEEDS"
    grow(place)
    counts = {route.id: few[route][1] for route in READS if route.id in known}
    many = {route.id: read(route, place, world)[1] for route in READS if route.id in known}
    assert many == counts
    assert {route: count for route, count in counts.items() if count > BUDGET} == {}
    check_baselines(counts)


def is_no_read(route: Route, status: int) -> bool:
    """It answers POST, sends elsewhere, or (a form of the admin for what nobody makes or deletes by hand) is for nobody."""
    return status in (302, 303, 405) or (route.kind == "admin" and status == 403)


def check_baselines(counts: dict[str, int]) -> None:
    if os.environ.get("HMS_UPDATE_BASELINES"):
        BASELINES.write_text(json.dumps(dict(sorted(counts.items())), indent=1) + "\n")
    assert counts == json.loads(BASELINES.read_text()), "see the top of this file"
