"""The queue: who waits, was called, is inside or did not come, and the buttons that move them on."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments.choices import TICKET_STEPS, TicketStatus
from appointments.forms import StepForm, TakeTicketForm, TransferForm
from appointments.models import Ticket
from appointments.pages.answers import go, is_fragment
from appointments.pages.patient_choice import PatientChoice, fill, matches_for, picked, typed_text
from appointments.pages.reading import read_uuid
from appointments.policies import visible_tickets
from appointments.selectors import VisitRow, expected_visits
from appointments.selectors.queue import queue_lanes, queue_tags
from appointments.selectors.queue_callers import Caller, callers_at
from appointments.selectors.queue_places import QueuePlace, queue_places_of, series_in_use
from appointments.services import call_next, step_ticket, take_ticket, transfer_ticket
from core.errors import Conflict, DomainError, NotFound, PreconditionFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.fragments import answer_fragment, kept_fragment, kept_markup, kept_page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from patients.pages.registering import TICKET


class Desk:
    """Where and for whom somebody calls: a location, and a provider or a room. It stands in the page's address."""

    def __init__(self, request: ClinicRequest) -> None:
        said = request.GET.dict() | request.POST.dict()
        self.places = queue_places_of(request.actor)
        wanted = read_uuid(said.get("location"))
        self.place = next((one for one in self.places if one.id == wanted), self.places[0] if self.places else None)
        self.callers: tuple[Caller, ...] = callers_at(self.place.id) if self.place else ()
        self.caller = next((one for one in self.callers if one.value == said.get("caller")), None)

    @property
    def query(self) -> str:
        named = {"location": str(self.place.id) if self.place else "", "caller": self.caller.value if self.caller else ""}
        return urlencode({name: value for name, value in named.items() if value})

    @property
    def address(self) -> str:
        return f"{reverse('appointments:queue')}?{self.query}" if self.query else reverse("appointments:queue")

    @property
    def found(self) -> QueuePlace:
        if self.place is None:
            raise NotFound(_("There is nothing here."))
        return self.place


@require_GET
@page("queue")
def queue(request: ClinicRequest) -> HttpResponse:
    """The whole page, or its lanes for a script. At most nine queries, none of what is kept."""
    desk = Desk(request)
    if desk.place is None:
        return render(request, "appointments/queue_empty.html")
    if is_fragment(request):
        return answer_fragment(request, _lanes(request, desk))
    now = timezone.now()

    def page_around() -> dict[str, Any]:
        return {"lanes": _lanes(request, desk, marks=True), "desk": desk, "now": now}

    also = (desk.query, str(desk.found.id), tuple(one.value for one in desk.callers))
    tags = [*queue_tags(desk.found, desk.found.day_at(now))]
    return kept_page(request, "appointments/queue.html", page_around, tags=lambda: tags, now=now, also=also)


@require_POST
@page("queue", "call")
def call(request: ClinicRequest) -> HttpResponse:
    """Call the next, for whoever the form names."""
    desk = Desk(request)
    who = desk.caller
    return _after(
        request,
        desk,
        lambda: call_next(
            actor=request.actor,
            location_id=desk.found.id,
            provider_id=who.provider_id if who else None,
            room_id=who.room_id if who and who.is_room else None,
        ),
    )


def _stepping(action: str) -> Callable[..., HttpResponse]:
    """The view that takes this step. A script gets the lanes back, others the page."""

    @require_POST
    @page("queue", action)
    def step(request: ClinicRequest, ticket_id: UUID) -> HttpResponse:
        return _step(request, ticket_id, action)

    return step


def _step(request: ClinicRequest, ticket_id: UUID, action: str) -> HttpResponse:
    desk, form = Desk(request), StepForm(request.POST)
    version = form.cleaned_data.get("version") if form.is_valid() else None
    who = desk.caller if action in ("call", "recall", "serve") else None
    return _after(
        request,
        desk,
        lambda: step_ticket(
            actor=request.actor,
            ticket_id=ticket_id,
            action=action,
            provider_id=who.provider_id if who else None,
            room_id=who.room_id if who and who.is_room else None,
            expected_version=version,
        ),
    )


# By the word in their address. Sending on has a page of its own, and nobody takes `reopen` by itself.
STEPS = {name.replace("_", "-"): _stepping(name) for name in TICKET_STEPS if name not in ("reopen", "transfer")}


@require_http_methods(["GET", "POST"])
@page("queue", "create")
def take(request: ClinicRequest) -> HttpResponse:
    """A ticket for a walk-in: who it is, if that is known, the group, and what raises the priority.

    Who has a visit here today is offered to be checked in instead.
    """
    desk = Desk(request)
    place = desk.found
    begun = {name: request.GET[name] for name in ("series", "priority") if name in request.GET}
    form = TakeTicketForm(request.POST if request.method == "POST" else None, groups=series_in_use(), initial=begun)
    choice = _who(request)
    patient_id = picked(request.POST)
    if request.method == "POST" and choice.text and not patient_id:
        form.add_error(None, _("Choose who it is, or empty the search."))
    if request.method == "POST" and form.is_valid():
        try:
            ticket = take_ticket(actor=request.actor, location_id=place.id, patient_id=patient_id, **form.as_ticket())
        except DomainError as error:
            show_problems(form, error)
        else:
            words = _("%(token)s: about %(minutes)d minutes") % {"token": ticket.token, "minutes": ticket.expected_minutes or 0}
            toast(request, words)
            return go(request, desk.address)
    return _taking(request, desk, form, choice)


@require_POST
@page("queue", "create")
def take_who(request: ClinicRequest) -> HttpResponse:
    """The form again after somebody was searched, picked or taken away; no ticket is taken."""
    form = TakeTicketForm(groups=series_in_use(), initial=request.POST.dict())
    return _taking(request, Desk(request), form, _who(request))


take_matches = matches_for("appointments:queue-take-who", TICKET)


def _who(request: ClinicRequest) -> PatientChoice:
    """Who is picked, by the address too; who is searched, by the form alone: no address holds a name."""
    pick_url, find_url = reverse("appointments:queue-take-who"), reverse("appointments:queue-take-patients")
    choice = PatientChoice(pick_url, find_url, typed_text(request.POST), errand=TICKET)
    patient_id = picked(request.POST if request.method == "POST" else request.GET)
    return fill(choice, request, patient_id=patient_id, offers_recent=False)


def _taking(request: ClinicRequest, desk: Desk, form: TakeTicketForm, choice: PatientChoice) -> HttpResponse:
    choice.note()
    searching = bool(choice.text) or "change_patient" in request.POST
    context = {"form": form, "desk": desk, "choice": choice, "searching": searching, "expected": _expected(request, desk, choice)}
    return render(request, "appointments/queue_take.html", context, status=422 if form.errors else 200)


def _expected(request: ClinicRequest, desk: Desk, choice: PatientChoice) -> list[VisitRow]:
    if choice.patient is None:
        return []
    place = desk.found
    today = place.day_at(timezone.now())
    return expected_visits(actor=request.actor, patient_id=choice.patient.pk, location_id=place.id, day=today)


@require_http_methods(["GET", "POST"])
@page("queue", "transfer")
def transfer(request: ClinicRequest, ticket_id: UUID) -> HttpResponse:
    """Send somebody on: to another group, provider or room."""
    ticket: Ticket = visible_tickets(request.actor).found(pk=ticket_id)
    desk = Desk(request)
    form = TransferForm(
        request.POST if request.method == "POST" else None, groups=series_in_use(), callers=callers_at(ticket.location_id)
    )
    if request.method == "POST" and form.is_valid():
        try:
            transfer_ticket(actor=request.actor, ticket_id=ticket_id, **form.as_places())
        except DomainError as error:
            show_problems(form, error)
        else:
            toast(request, _("%(token)s was sent on") % {"token": ticket.token})
            return go(request, desk.address)
    context = {"form": form, "ticket": ticket, "desk": desk}
    return render(request, "appointments/queue_transfer.html", context, status=422 if form.errors else 200)


def _after(request: ClinicRequest, desk: Desk, done: Any) -> HttpResponse:
    """Do it and show the queue; what refused it is told on the lanes, for a script, or on its page."""
    try:
        with transaction.atomic():
            ticket = done()
    except (Conflict, PreconditionFailed) as error:
        if not is_fragment(request):
            raise
        return _refused(request, desk, error)
    toast(request, _words(ticket), undo_url=_undo_address(request, desk, ticket))
    if is_fragment(request):
        return answer_fragment(request, _lanes(request, desk))
    return go(request, desk.address)


def _undo_address(request: ClinicRequest, desk: Desk, ticket: Ticket) -> str:
    """Where the step is taken back by letting the ticket wait again; empty where that can't be."""
    is_over = ticket.status == TicketStatus.LEFT and ticket.appointment_id is not None
    if is_over or ticket.status not in TICKET_STEPS["put_back"].sources or not request.actor.can("queue", "put_back"):
        return ""
    return f"{reverse('appointments:queue-put-back', args=[ticket.pk])}?{desk.query}"


def _words(ticket: Ticket) -> str:
    named = {"token": ticket.token, "state": ticket.get_status_display(), "room": ticket.room.name if ticket.room else ""}
    if ticket.room and ticket.status == "called":
        return _("%(token)s: called to %(room)s") % named
    return _("%(token)s: %(state)s") % named


def _refused(request: ClinicRequest, desk: Desk, error: DomainError) -> HttpResponse:
    context = {"actor": request.actor, "queue": _shown(request, desk), "desk": desk, "refused": str(error.message)}
    response = answer_fragment(request, render_to_string("appointments/_queue.html", context, request), error.status)
    transaction.set_rollback(True)
    return response


def _shown(request: ClinicRequest, desk: Desk) -> Any:
    return queue_lanes(actor=request.actor, place=desk.found, now=timezone.now())


def _lanes(request: ClinicRequest, desk: Desk, *, marks: bool = False) -> Any:
    now, place = timezone.now(), desk.found
    known: dict[str, Any] = {
        "tags": lambda: queue_tags(place, place.day_at(now)),
        "now": now,
        "also": (desk.query, tuple(one.value for one in desk.callers)),
    }
    kept = kept_markup if marks else kept_fragment
    return kept(request, "appointments/_queue.html", lambda: {"queue": _shown(request, desk), "desk": desk}, **known)
