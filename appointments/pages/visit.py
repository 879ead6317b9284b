"""One visit: its facts, its history, and what may be done with it now."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments.choices import MOVABLE, TRANSITIONS, UNDOABLE
from appointments.errors import SlotTaken
from appointments.forms import MoveForm, ReasonForm
from appointments.models import Appointment
from appointments.pages.answers import done, go, safe_next, tell, with_ticket
from appointments.pages.booking import alternatives_of
from appointments.pages.reading import read_day, read_moment, read_uuid
from appointments.pages.slot_picker import Wish, slot_picker
from appointments.policies import visible_appointments
from appointments.selectors import history_of, locations_of
from appointments.selectors.picking import providers_of
from appointments.selectors.queue_places import code_to_check_in
from appointments.services import change_status, reschedule_appointment, undo_last_change
from appointments.services.tickets import open_ticket_of
from core.accounts.actor import Actor
from core.audit.subjects import shown
from core.errors import Conflict, DomainError, PreconditionFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest

# The step a visit takes next, by its usual way; the button's words and icon.
STEP_WORDS: dict[str, tuple[str | Promise, str]] = {
    "confirm": (_("Confirm"), "check"),
    "check_in": (_("Check in"), "check"),
    "start": (_("Call"), "call"),
    "complete": (_("Finish"), "done"),
    "no_show": (_("Did not come"), "missed"),
}
DONE_WORDS: dict[str, str | Promise] = {
    "confirm": _("%(name)s is confirmed"),
    "check_in": _("%(name)s is checked in"),
    "start": _("%(name)s is with %(provider)s"),
    "complete": _("The visit of %(name)s is finished"),
    "no_show": _("%(name)s did not come"),
    "cancel": _("The visit of %(name)s is cancelled"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A button of the visit's page."""

    slug: str
    words: str | Promise
    icon: str
    is_next: bool


def steps_for(actor: Actor, visit: Appointment) -> list[Step]:
    """What the workflow and the person's role allow now, the usual next step first. No query."""
    found: list[Step] = []
    is_ahead = not visit.is_today and visit.start > timezone.now()
    for action, transition in TRANSITIONS.items():
        if action == "cancel" or (is_ahead and action == "no_show"):
            continue
        if visit.status in transition.sources and actor.can("appointment", action):
            words, icon = STEP_WORDS[action]
            is_next = action != "no_show" and not found
            if action == "check_in" and not visit.is_today:  # who stands at the desk may have another visit today
                day = date_format(visit.local_day, "D j M")
                words, is_next = gettext("Check in for %(day)s") % {"day": day}, False
            found.append(Step(action.replace("_", "-"), words, icon, is_next))
    return found


def visit_of(actor: Actor, visit_id: UUID) -> Appointment:
    """The visit with its names, or NotFound. One query."""
    visit: Appointment = visible_appointments(actor).for_list().found(pk=visit_id)
    return visit


def words_for(visit: Appointment, action: str) -> str:
    """What was done; with the ticket that the patient is given, where there is one. One query after checking in."""
    words = str(DONE_WORDS[action]) % {"name": visit.patient.full_name, "provider": visit.provider.short_name}
    return with_ticket(words, visit) if action == "check_in" else words


@require_GET
@page("appointment")
def detail(request: ClinicRequest, visit_id: UUID) -> HttpResponse:
    visit = visit_of(request.actor, visit_id)
    shown([visit.patient_id])
    sees_history = request.actor.can("appointment", "history")
    context = {
        "visit": visit,
        "zone": visit.time_zone,
        "steps": steps_for(request.actor, visit),
        "can_cancel": visit.status in TRANSITIONS["cancel"].sources and request.actor.can("appointment", "cancel"),
        "can_move": visit.status in MOVABLE and request.actor.can("appointment", "reschedule"),
        "can_undo": visit.status in UNDOABLE and request.actor.can("appointment", "undo"),
        "changes": history_of(visit)[::-1] if sees_history else [],
        "sees_history": sees_history,
        "code": code_to_check_in(visit.pk, visit.location_id) if visit.status in MOVABLE else "",
        "reason_form": ReasonForm(initial={"version": visit.version}),
        "ticket": open_ticket_of(visit.pk) if visit.checked_in_at else None,
    }
    return render(request, "appointments/visit.html", context)


@require_http_methods(["GET", "POST"])
@page("appointment", "cancel")
def cancel(request: ClinicRequest, visit_id: UUID) -> HttpResponse:
    """Ask why, then cancel."""
    visit = visit_of(request.actor, visit_id)
    if visit.status not in TRANSITIONS["cancel"].sources:
        raise Conflict(gettext("This visit can no longer be cancelled."))
    form = ReasonForm(request.POST if request.method == "POST" else None, initial={"version": visit.version})
    if request.method == "POST" and form.is_valid():
        try:
            cancelled = change_status(
                actor=request.actor, appointment_id=visit_id, action="cancel",
                reason=form.cleaned_data["reason"], expected_version=form.cleaned_data["version"],
            )  # fmt: skip
        except PreconditionFailed as error:
            visit, form = visit_of(request.actor, visit_id), _as_it_is_now(form, error)
        except DomainError as error:
            show_problems(form, error)
        else:
            return done(request, cancelled, words_for(cancelled, "cancel"), to=safe_next(request, _address(visit)))
    shown([visit.patient_id])
    context = {"visit": visit, "form": form, "next": safe_next(request)}
    return render(request, "appointments/cancel.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@page("appointment", "reschedule")
def reschedule(request: ClinicRequest, visit_id: UUID) -> HttpResponse:
    """Choose another time (`show`: only look), then move."""
    visit = visit_of(request.actor, visit_id)
    if visit.status not in MOVABLE:
        raise Conflict(gettext("Only a visit that has not begun can be moved."))
    if request.method == "GET" or "show" in request.POST or "from" in request.POST:
        return _show_times(request, visit)
    data = request.POST.copy()
    if alternative := request.POST.get("alternative"):
        data["slot"] = alternative
    form = MoveForm(data)
    if not form.is_valid():
        return _show_times(request, visit, form=form, status=422)
    start, provider_id = form.cleaned_data["slot"]
    try:
        moved = reschedule_appointment(
            actor=request.actor, appointment_id=visit_id, start=start, provider_id=provider_id,
            location_id=form.cleaned_data["location"], reason=form.cleaned_data["reason"],
            expected_version=form.cleaned_data["version"],
        )  # fmt: skip
    except PreconditionFailed as error:
        return _show_times(request, visit_of(request.actor, visit_id), form=_as_it_is_now(form, error), status=error.status)
    except SlotTaken as error:
        return _show_times(request, visit, form=form, status=409, taken=error)
    except DomainError as error:
        if error.status != 400:
            raise
        show_problems(form, error)
        return _show_times(request, visit, form=form, status=422)
    local = moved.local_start
    words = _("%(name)s now comes on %(day)s at %(time)s")
    said = str(words) % {"name": moved.patient.full_name, "day": f"{local:%A} {local.day}", "time": f"{local:%H:%M}"}
    return done(request, moved, said, to=safe_next(request, _address(visit)))


def _show_times(
    request: ClinicRequest, visit: Appointment, form: MoveForm | None = None, status: int = 200, taken: SlotTaken | None = None
) -> HttpResponse:
    shown([visit.patient_id])
    data = request.POST or request.GET
    provider_id = read_uuid(data.get("provider")) if "provider" in data else visit.provider_id
    location_id = read_uuid(data.get("location")) if "location" in data else visit.location_id
    locations = locations_of(request.actor)
    names_place = len(locations) > 1 and location_id is None
    wish = Wish(
        provider_id=provider_id,
        location_id=location_id,
        day=read_day(data.get("day")),
        first_day=read_day(data.get("from")),
        start=read_moment((data.get("slot") or "").partition("~")[0]),
        moving=visit.pk,
    )
    context = {
        "visit": visit,
        "picker": slot_picker(actor=request.actor, service=visit.service, wish=wish, now=timezone.now()),
        "providers": providers_of(visit.service, actor=request.actor),
        "provider_id": provider_id,
        "locations": locations,
        "location_id": location_id,
        "form": form,
        "reason": data.get("reason", "")[:300],
        "version": form["version"].value() if form else data.get("version") or visit.version,
        "taken": str(taken.message) if taken else "",
        "alternatives": alternatives_of(taken, names_place=names_place) if taken else [],
        "next": safe_next(request),
    }
    return render(request, "appointments/reschedule.html", context, status=status)


@require_POST
@page("appointment", "undo")
def undo(request: ClinicRequest, visit_id: UUID) -> HttpResponse:
    """Take back the last step."""
    try:
        with transaction.atomic():
            visit = undo_last_change(actor=request.actor, appointment_id=visit_id)
    except SlotTaken as error:
        words = gettext("The visit stays missed: its time has been given to somebody else. %(reason)s") % {"reason": error.message}
        toast(request, words)
        return go(request, reverse("appointments:detail", args=[visit_id]))
    words = str(_("Undone. %(name)s: %(state)s")) % {"name": visit.patient.full_name, "state": visit.get_status_display()}
    target = safe_next(request, _address(visit))
    tell(request, visit, words, back=target, undoable=False)
    return go(request, target)


def _as_it_is_now(form: ReasonForm | MoveForm, error: PreconditionFailed) -> Any:
    """What was typed about a visit that somebody has changed meanwhile, to be sent again about what it is now."""
    data = cast(QueryDict, form.data).copy()
    data["version"] = error.extra["current_version"]
    again = type(form)(data)
    again.is_valid()
    show_problems(again, error)
    return again


def _address(visit: Appointment) -> str:
    return reverse("appointments:detail", args=[visit.pk])
