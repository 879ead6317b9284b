"""The board of a waiting room, open to whoever holds its address: tokens and rooms, and nothing of anybody."""

import hashlib
import json

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from appointments.choices import ScreenKind
from appointments.pages.screens import of_screen
from appointments.selectors.queue import BOARD_CALLED, BOARD_NEXT, BoardFacts, board_facts
from appointments.selectors.queue_places import QueuePlace
from appointments.selectors.screens import Named, open_screen
from appointments.services.board_stream import board_grant
from core.realtime.opening import stream_for
from core.requests import HMSRequest
from core.security.limiting.classes import RouteClass, route_class
from core.tenancy.models import Clinic


@route_class(RouteClass.FREE)  # counted by screen, in `of_screen`
@require_GET
@of_screen(ScreenKind.BOARD)
def board(request: HMSRequest, clinic: Clinic, named: Named) -> HttpResponse:
    """The page: as many rows as there will ever be, filled anew by its script for days. Up to seven queries."""
    _screen, place = open_screen(ScreenKind.BOARD, named)
    facts = _facts(place)
    called = [*facts.called, *[("", "", 0, 0)] * BOARD_CALLED][:BOARD_CALLED]
    next_up = [*facts.next_up, *[("", None)] * BOARD_NEXT][:BOARD_NEXT]
    context = {
        "clinic_name": clinic.name,
        "place": place,
        "now": timezone.now(),
        "first": called[0],
        "before": called[1:],
        "next_up": next_up,
    }
    return render(request, "appointments/board.html", context)


@route_class(RouteClass.FREE)
@require_GET
@of_screen(ScreenKind.BOARD)
def board_now(request: HMSRequest, clinic: Clinic, named: Named) -> HttpResponse:
    """What the page shows now, a few hundred bytes; 304 while nothing has changed. Up to seven queries, three when it is kept."""
    _screen, place = open_screen(ScreenKind.BOARD, named)
    facts = _facts(place)
    body = json.dumps(
        {"called": facts.called, "next": facts.next_up, "chime": place.has_chime, "voice": place.has_voice}, separators=(",", ":")
    ).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    if request.headers.get("If-None-Match", "").removeprefix("W/") == tag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
    return response


@route_class(RouteClass.FREE)
@require_GET
@of_screen(ScreenKind.BOARD)
def board_stream(request: HMSRequest, clinic: Clinic, named: Named) -> HttpResponse:
    """Server-Sent Events that say when to ask `board_now`: `ready`, `changed`, `resync`. Two queries."""
    _screen, place = open_screen(ScreenKind.BOARD, named)
    return stream_for(request, board_grant(named, place))


def _facts(place: QueuePlace) -> BoardFacts:
    now = timezone.now()
    return board_facts(place.id, place.day_at(now), now.replace(second=0, microsecond=0))
