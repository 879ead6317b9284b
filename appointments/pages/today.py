"""The home page: the day's visits by state, each with its next step; and the steps themselves."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
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

SHOWN_EXPECTED = 12  # the rest of a lane opens on demand
SHOWN_DONE = 5


@require_GET
@page("appointment")
def today(request: ClinicRequest) -> HttpResponse:
    return _board(request, read_uuid(request.GET.get("location")), whole=not is_fragment(request))


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
    location_id = read_uuid(request.POST.get("location"))
    try:
        visit = change_status(
            actor=request.actor, appointment_id=visit_id, action=action,
            reason=said.get("reason") or "", expected_version=said.get("version"),
        )  # fmt: skip
    except (Conflict, PreconditionFailed) as error:
        if not on_board:
            raise
        return _board(request, location_id, refused=error)
    back = reverse("appointments:today") + (f"?location={location_id}" if location_id else "")
    if not on_board:
        return done(request, visit, words_for(visit, action), to=safe_next(request, back))
    tell(request, visit, words_for(visit, action), back=back)
    return _board(request, location_id)


def _idle_with_queue(board: TodayBoard) -> list[tuple[IdleProvider, VisitRow]]:
    """Who is free now and whom they would call next; without those for whom nobody waits."""
    first: dict[UUID, VisitRow] = {}
    for row in board.waiting:
        first.setdefault(row.provider_id, row)
    return [(one, first[one.provider_id]) for one in board.idle if one.provider_id in first]


def _board(
    request: ClinicRequest, location_id: UUID | None, *, whole: bool = False, refused: DomainError | None = None
) -> HttpResponse:
    """The board alone, or the page around it. At most 8 queries, none of what is kept."""
    now = timezone.now()
    day = timezone.localdate(now)
    location = next((one for one in locations_of(request.actor) if one.id == location_id), None) if location_id else None

    def shown() -> dict[str, object]:
        board = today_board(actor=request.actor, day=day, now=now, location_id=location.id if location else None)
        return {
            "board": board,
            "location": location,
            "idle": _idle_with_queue(board),
            "lanes": {
                "expected": board.expected[:SHOWN_EXPECTED],
                "expected_rest": board.expected[SHOWN_EXPECTED:],
                "until": board.expected[-1].clock if board.expected else "",
                "done": board.done[:SHOWN_DONE],
                "done_rest": board.done[SHOWN_DONE:],
            },
        }

    if refused:
        said = shown() | {"refused": str(refused.message)}
        response = answer_fragment(request, render_to_string("appointments/_today.html", said, request), refused.status)
        transaction.set_rollback(True)
        return response
    request.actor.require("appointment", "view")
    known: dict[str, Any] = {"tags": lambda: board_tags(day), "now": now, "also": (day, location)}
    if not whole:
        return answer_fragment(request, kept_fragment(request, "appointments/_today.html", shown, **known))

    def page_around() -> dict[str, object]:
        board = kept_markup(request, "appointments/_today.html", shown, **known)
        return {"board": board, "now": now, "day": day, "locations": locations_of(request.actor), "location": location}

    return kept_page(request, "appointments/today.html", page_around, **known)
