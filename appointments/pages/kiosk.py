"""The kiosk, open to whoever holds its address: patients check in by number and date of birth or by code, or take a ticket.

Whatever was wrong, the answer is the same. Only who knows number and date of birth, or the code, learns that there is a visit.
"""

from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_http_methods

from appointments.choices import ScreenKind
from appointments.errors import AskAtTheDesk
from appointments.forms import NumberForm
from appointments.models import Ticket
from appointments.pages.reading import read_uuid
from appointments.pages.screens import of_screen
from appointments.selectors.queue import walk_in_groups
from appointments.selectors.queue_places import QueuePlace
from appointments.selectors.screens import Named, open_screen
from appointments.services.kiosk import check_in_by_code, check_in_by_number, walk_in
from core.errors import Conflict, NotAllowed, RateLimited
from core.requests import HMSRequest
from core.responses import is_fragment
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.counting import count_at_kiosk, is_full_at_kiosk
from core.tenancy.models import Clinic

BACK_AFTER = 20  # seconds until the kiosk shows its start again


@route_class(RouteClass.FREE)  # counted by screen, in `of_screen`
@require_http_methods(["GET", "POST"])
@of_screen(ScreenKind.KIOSK)
def kiosk(request: HMSRequest, clinic: Clinic, named: Named) -> HttpResponse:
    """GET shows what can be done, POST does it. Up to six queries to show, 25 to check in."""
    _speak(request)
    _screen, place = open_screen(ScreenKind.KIOSK, named)
    if request.method == "GET":
        return _page(request, clinic, place)
    try:
        with transaction.atomic():
            ticket = _done(request, clinic, place, named)
    except (AskAtTheDesk, Conflict, NotAllowed):
        return _refused(request, clinic, place)
    except RateLimited as error:
        response = _refused(request, clinic, place, status=429)
        response["Retry-After"] = str(error.retry_after)
        return response
    return _page(request, clinic, place, ticket=ticket)


def _speak(request: HMSRequest) -> None:
    """The language that was chosen on the screen, if HMS speaks it."""
    if (chosen := request.GET.get("language")) in dict(settings.LANGUAGES):
        translation.activate(chosen)


def _done(request: HMSRequest, clinic: Clinic, place: QueuePlace, named: Named) -> Ticket:
    said = request.POST
    if said.get("do") == "walk-in":
        count_at_kiosk(request, named.screen_id, "ticket")
        series_id = read_uuid(said.get("series"))
        if series_id is None:
            raise AskAtTheDesk
        return walk_in(clinic=clinic, place=place, series_id=series_id)
    if said.get("do") == "code":
        code = said.get("code", "")[:24]
        return _tried(request, named, lambda: check_in_by_code(place=place, code=code))
    form = NumberForm(said)
    if not form.is_valid():
        raise AskAtTheDesk
    number, born = form.cleaned_data["number"], form.cleaned_data["born"]
    return _tried(request, named, lambda: check_in_by_number(clinic=clinic, place=place, mrn=number, born=born))


def _tried(request: HMSRequest, named: Named, check_in: Callable[[], Ticket]) -> Ticket:
    """A wrong try counts for the kiosk; once there were too many, the right one is refused as well for a while."""
    if is_full_at_kiosk(request, named.screen_id, "wrong"):
        raise RateLimited(str(AskAtTheDesk().message), 60)
    try:
        return check_in()
    except AskAtTheDesk:
        count_at_kiosk(request, named.screen_id, "wrong")
        raise


def _refused(request: HMSRequest, clinic: Clinic, place: QueuePlace, status: int = 422) -> HttpResponse:
    response = _page(request, clinic, place, refused=str(AskAtTheDesk().message), status=status)
    transaction.set_rollback(True)
    return response


def _page(
    request: HMSRequest, clinic: Clinic, place: QueuePlace, *, ticket: Ticket | None = None, refused: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "clinic_name": clinic.name,
        "place": place,
        "groups": [] if ticket or refused else walk_in_groups(),
        "languages": settings.LANGUAGES if len(settings.LANGUAGES) > 1 else (),
        "ticket": ticket,
        "refused": refused,
        "seconds": BACK_AFTER,
    }
    name = "appointments/_kiosk.html" if is_fragment(request) else "appointments/kiosk.html"
    return render(request, name, context, status=status)
