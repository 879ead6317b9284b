"""The home page: the day's visits by state, each with its next step; and the steps themselves."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from appointments.choices import TRANSITIONS
from appointments.forms import StepForm
from appointments.pages.answers import done, is_fragment, safe_next, tell
from appointments.pages.reading import read_uuid
from appointments.pages.visit import visit_of, words_for
from appointments.selectors import IdleProvider, TodayBoard, VisitRow, board_tags, locations_of, today_board
from appointments.services import change_status
from core.errors import Conflict, DomainError, NotFound, PreconditionFailed
from core.pages.access import page
from core.pages.fragments import answer_fragment, kept_fragment, kept_markup, kept_page
from core.requests import ClinicRequest

SHOWN_EXPECTED = 12  # of a lane that is not shown whole: a board is made anew for each step that anybody takes
SHOWN_DONE = 5
EVERYTHING = {"all": "1"}


@dataclass(frozen=True, slots=True)
class Look:
    """What of the day somebody looks at. It stands in the page's address, and in the forms of its steps."""

    location_id: UUID | None
    everything: bool

    @classmethod
    def said_by(cls, said: QueryDict) -> "Look":
        return cls(read_uuid(said.get("location")), said.get("all") == EVERYTHING["all"])

    def address(self, *, everything: bool) -> str:
        named = {"location": str(self.location_id)} if self.location_id else {}
        query = urlencode(named | (EVERYTHING if everything else {}))
        return reverse("appointments:today") + (f"?{query}" if query else "")


@require_GET
@page("appointment")
def today(request: ClinicRequest) -> HttpResponse:
    """Long lanes show their beginning, and whole with `?all=1`."""
    return _board(request, Look.said_by(request.GET), whole=not is_fragment(request))


@require_POST
@page("appointment")
def step(request: ClinicRequest, visit_id: UUID, slug: str) -> HttpResponse:
    """Take one step of the workflow. A script on the board gets the board back, others go where they came from."""
    action = slug.replace("-", "_")
    if slug != action.replace("_", "-") or action not in TRANSITIONS or action == "cancel":
        raise NotFound(_("There is nothing here."))
    form = StepForm(request.POST)
    said = form.cleaned_data if form.is_valid() else {}
    visit_of(request.actor, visit_id)
    on_board = is_fragment(request) and request.headers.get("HX-Target") == "board"
    look = Look.said_by(request.POST)
    try:
        visit = change_status(
            actor=request.actor, appointment_id=visit_id, action=action,
            reason=said.get("reason") or "", expected_version=said.get("version"),
        )  # fmt: skip
    except (Conflict, PreconditionFailed) as error:
        if not on_board:
            raise
        return _board(request, look, refused=error)
    back = look.address(everything=look.everything)
    if not on_board:
        return done(request, visit, words_for(visit, action), to=safe_next(request, back))
    tell(request, visit, words_for(visit, action), back=back)
    return _board(request, look)


def _idle_with_queue(board: TodayBoard) -> list[tuple[IdleProvider, VisitRow]]:
    """Who is free now and whom they would call next; without those for whom nobody waits."""
    first: dict[UUID, VisitRow] = {}
    for row in board.waiting:
        first.setdefault(row.provider_id, row)
    return [(one, first[one.provider_id]) for one in board.idle if one.provider_id in first]


def _board(request: ClinicRequest, look: Look, *, whole: bool = False, refused: DomainError | None = None) -> HttpResponse:
    """The board alone, or the page around it. At most 8 queries, none of what is kept."""
    now = timezone.now()
    day = timezone.localdate(now)
    location = next((one for one in locations_of(request.actor) if one.id == look.location_id), None) if look.location_id else None

    def shown() -> dict[str, object]:
        board = today_board(actor=request.actor, day=day, now=now, location_id=location.id if location else None)
        expected = board.expected if look.everything else board.expected[:SHOWN_EXPECTED]
        lately = board.done if look.everything else board.done[:SHOWN_DONE]
        return {
            "board": board,
            "location": location,
            "idle": _idle_with_queue(board),
            "lanes": {
                "expected": expected,
                "more_expected": len(board.expected) - len(expected),
                "until": board.expected[-1].clock if board.expected else "",
                "done": lately,
                "more_done": len(board.done) - len(lately),
            },
            "everything": look.everything,
            "shown": {"expected": SHOWN_EXPECTED, "done": SHOWN_DONE},
            "whole_address": look.address(everything=True),
            "short_address": look.address(everything=False),
        }

    if refused:
        said = shown() | {"refused": str(refused.message)}
        response = answer_fragment(request, render_to_string("appointments/_today.html", said, request), refused.status)
        transaction.set_rollback(True)
        return response
    request.actor.require("appointment", "view")
    known: dict[str, Any] = {"tags": lambda: board_tags(day), "now": now, "also": (day, location, look.everything)}
    if not whole:
        return answer_fragment(request, kept_fragment(request, "appointments/_today.html", shown, **known))

    def page_around() -> dict[str, object]:
        board = kept_markup(request, "appointments/_today.html", shown, **known)
        return {"board": board, "now": now, "day": day, "locations": locations_of(request.actor), "location": location}

    return kept_page(request, "appointments/today.html", page_around, **known)
