"""Oversight: the emergency accesses to restricted records, and what is thought of each."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from core.audit.subjects import Reading, shown
from core.errors import Conflict, ValidationFailed
from core.forms import show_problems
from core.pages.access import page
from core.pages.reading import read_number
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go
from patients.forms import VerdictForm
from patients.pages.accesses import place_of
from patients.selectors import EmergencyAccess, accesses_to_judge, emergency_access, emergency_accesses
from patients.selectors.break_glass import Look
from patients.services import judge_access

ON_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class PlacedLook:
    """What was looked at, in words."""

    look: Look
    place: str | Promise


@require_GET
@page("break_glass", "view")
def queue(request: ClinicRequest) -> HttpResponse:
    """Those without a verdict, the oldest first; with `show=all` every one, the newest first. Four queries."""
    show_all = request.GET.get("show") == "all"
    number = min(read_number(request.GET.get("page")) or 1, 999)
    found = emergency_accesses(actor=request.actor, waiting=not show_all, limit=ON_A_PAGE + 1, skip=(number - 1) * ON_A_PAGE)
    rows = found[:ON_A_PAGE]
    shown((row.access.patient_id for row in rows), Reading.LIST)
    context = {
        "rows": [_with_places(row) for row in rows], "show_all": show_all, "to_judge": accesses_to_judge(),
        "newer": number - 1, "older": number + 1 if len(found) > ON_A_PAGE else 0,
    }  # fmt: skip
    return render(request, "patients/emergency_accesses.html", context)


@require_GET
@page("break_glass", "view")
def one(request: ClinicRequest, access_id: UUID) -> HttpResponse:
    """One access with its reason and what was looked at, and the form for the verdict. Four queries."""
    return _access_page(request, access_id, VerdictForm())


@require_POST
@page("break_glass", "review")
def judge(request: ClinicRequest, access_id: UUID) -> HttpResponse:
    form = VerdictForm(request.POST)
    form.is_valid()
    try:
        judge_access(actor=request.actor, access_id=access_id, **form.cleaned_data)
    except ValidationFailed as error:
        show_problems(form, error)
        return _access_page(request, access_id, form, status=422)
    except Conflict as error:
        form.add_error(None, str(error.message))
        return _access_page(request, access_id, form, status=409)
    toast(request, _("The verdict is noted"))
    return go(request, reverse("patients:emergency-accesses"))


def _access_page(request: ClinicRequest, access_id: UUID, form: VerdictForm, status: int = 200) -> HttpResponse:
    found = emergency_access(actor=request.actor, access_id=access_id)
    shown([found.access.patient_id])
    context = _with_places(found) | {"form": form, "to_judge": accesses_to_judge()}
    return render(request, "patients/emergency_access.html", context, status=status)


def _with_places(row: EmergencyAccess) -> dict[str, Any]:
    return {"row": row, "access": row.access, "looks": [PlacedLook(look, place_of(look.route)) for look in row.looks]}
