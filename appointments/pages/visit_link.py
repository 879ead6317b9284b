"""The page behind the link of a reminder: open to whoever holds it. It shows the clinic, the day and the time, and no more.

Looking changes nothing, so what opens links to examine them does no harm: an answer takes a form and its button.
"""

from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from appointments.choices import Reply
from appointments.errors import LinkGone
from appointments.models import Reminder
from appointments.selectors.queue_places import code_to_check_in
from appointments.services.answers import answer_reminder, clinic_of_link, open_link
from core.errors import DomainError
from core.pages.reading import read_number
from core.requests import HMSRequest
from core.responses import error_response
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic

LATE = (10, 20, 30)  # minutes that are offered


@require_http_methods(["GET", "POST"])
def visit_link(request: HMSRequest, token: str) -> HttpResponse:
    """GET shows, POST answers, each answer once. Up to four queries to show, thirteen to answer."""
    try:
        clinic, reminder_id = clinic_of_link(token)
        with narrowed(clinic_id=clinic.pk):
            if request.method == "POST":
                return _answered(request, clinic, reminder_id)
            return _page(request, clinic, open_link(reminder_id))
    except DomainError as error:
        refused = error_response(request, error)
        transaction.set_rollback(True)
        return refused


def _answered(request: HMSRequest, clinic: Clinic, reminder_id: UUID) -> HttpResponse:
    if (said := request.POST.get("reply")) not in Reply.values:
        raise LinkGone
    minutes = read_number(request.POST.get("minutes"))
    reply = Reply(said)
    return _page(request, clinic, answer_reminder(reminder_id=reminder_id, reply=reply, late_minutes=minutes), reply)


def _page(request: HMSRequest, clinic: Clinic, reminder: Reminder, done: Reply | None = None) -> HttpResponse:
    visit = reminder.appointment
    context = {
        "clinic_name": clinic.name,
        "start": reminder.start,
        "zone": visit.time_zone,
        "reminder": reminder,
        "done": done,
        "late": LATE,
        "code": code_to_check_in(visit.pk, visit.location_id),
    }
    response = render(request, "appointments/visit_link.html", context)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
