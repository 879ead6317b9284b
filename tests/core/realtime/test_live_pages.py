"""Parts of pages that renew themselves: whoever shows what there is gets no second copy of it."""

import re
from typing import Any

from django.test import Client

from appointments.models import QueueSeries
from appointments.services import take_ticket
from core.accounts.actor import system_actor
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.cases import filled
from tests.factories.queue import open_queue
from tests.factories.routes import routes
from tests.factories.world import Place, World

SCRIPT: Any = {"HTTP_HX_REQUEST": "true"}
LIVE = re.compile(r'<[^>]*\bid="([\w-]+)"[^>]*\bdata-live="([^"]+)"[^>]*>')
TAG = re.compile(r'data-tag="([0-9a-f]{32})"')


def test_every_live_part_is_sent_anew_only_when_it_is_another(world: World, sign_in: Any) -> None:
    place = world.riverside
    with clinic_scope(place.clinic, reason="test"):
        open_queue(place)
    client = sign_in(place.users[Role.CLINIC_ADMIN], place.clinic)
    live = [where for route in routes("page", methods=("GET",)) if LIVE.search(client.get(where := filled(route, place)).text)]
    assert {"/", "/calendar/", "/calendar/week/", "/queue/"} <= set(live)
    for where in live:
        assert any(_is_told_nothing_new(client, where) for _ in range(2)), where  # twice: a minute may end in between


def _is_told_nothing_new(client: Client, where: str) -> bool:
    page = client.get(where).text
    part = LIVE.search(page)
    assert part, where
    tag = TAG.search(part[0])
    assert tag and len(set(tag[1])) > 1, f"{where}: no tag by which #{part[1]} could be told apart"
    again = client.get(where, **SCRIPT, HTTP_IF_NONE_MATCH=f'"{tag[1]}"')
    other = client.get(where, **SCRIPT, HTTP_IF_NONE_MATCH=f'"{tag[1][::-1]}"')
    assert other.status_code == 200 and f'id="{part[1]}"' in other.text and "<html" not in other.text
    return again.status_code == 304 and not again.content


def test_what_happened_makes_it_another(riverside: Place, sign_in: Any) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        open_queue(riverside)
    client = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    before = TAG.search(client.get("/queue/").text)
    with clinic_scope(riverside.clinic, reason="test"):
        ticket = take_ticket(actor=system_actor(riverside.clinic.pk), location_id=riverside.locations[0].pk)
    assert before
    now = client.get("/queue/", **SCRIPT, HTTP_IF_NONE_MATCH=f'"{before[1]}"')
    assert now.status_code == 200 and ticket.token in now.text


def test_what_is_to_be_told_is_told_beside_an_unchanged_part(riverside: Place, sign_in: Any) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        open_queue(riverside)
    client = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    with clinic_scope(riverside.clinic, reason="test"):
        series = QueueSeries.objects.get()
    shown = TAG.search(client.get("/calendar/").text)
    assert shown and client.post("/queue/take/", {"series": str(series.pk)}).status_code == 303
    told = client.get("/calendar/", **SCRIPT, HTTP_IF_NONE_MATCH=f'"{shown[1]}"')
    assert told.status_code == 200 and "A001" in told.text
