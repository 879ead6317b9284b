"""Oversight: looks at records that are worth a question."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from appointments.selectors.oversight import CLOSES, LINKED_DAYS, MANY, OPENS, unusual_access
from core.audit.subjects import Reading, shown
from core.pages.access import page
from core.requests import ClinicRequest
from patients.selectors import accesses_to_judge

PERIODS = (1, 7, 30)  # days


@require_GET
@page("access_log", "review")
def unusual(request: ClinicRequest) -> HttpResponse:
    """The report of a week, unless another period is asked for. Four queries."""
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, PERIODS) else 7
    found = unusual_access(actor=request.actor, days=days)
    shown((look.patient_id for look in found.looks), Reading.LIST)
    waiting = accesses_to_judge() if request.actor.can("break_glass", "view") else 0
    limits = {"opens": OPENS, "closes": CLOSES, "many": MANY, "linked_days": LINKED_DAYS}
    context = {"found": found, "days": days, "periods": PERIODS, "to_judge": waiting} | limits
    return render(request, "appointments/unusual_access.html", context)
