"""How these pages answer: a whole page or a fragment of one, and where to go after something was done."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from appointments.choices import UNDOABLE
from appointments.models import Appointment
from appointments.services.tickets import open_ticket_of
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go, is_fragment

__all__ = ["done", "go", "is_fragment", "safe_next", "tell", "with_ticket"]


def safe_next(request: ClinicRequest, default: str = "") -> str:
    """The address of ours to go to afterwards, as the form or the link named it."""
    target = request.POST.get("next") or request.GET.get("next") or default
    return target if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()) else default


def tell(request: ClinicRequest, visit: Appointment, words: str, *, back: str, undoable: bool = True) -> None:
    """A toast about a visit; with Undo where the workflow lets the last step be taken back."""
    undo_url = ""
    if undoable and visit.status in UNDOABLE and request.actor.can("appointment", "undo"):
        undo_url = f"{reverse('appointments:undo', args=[visit.pk])}?{urlencode({'next': back})}"
    toast(request, words, undo_url=undo_url)


def done(request: ClinicRequest, visit: Appointment, words: str, *, to: str = "") -> HttpResponse:
    """Say what was done, and go on."""
    target = to or reverse("appointments:today")
    tell(request, visit, words, back=target)
    return go(request, target)


def with_ticket(words: str, visit: Appointment) -> str:
    """What is told of somebody who has just arrived, with the ticket to tell them, where they wait by tickets. One query."""
    ticket = open_ticket_of(visit.pk)
    return _("%(words)s: ticket %(token)s") % {"words": words, "token": ticket.token} if ticket else words
