"""Who has looked at a patient: for those who watch over records, and for the patient."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from core.audit.subjects import shown
from core.pages.access import page
from core.requests import ClinicRequest
from patients.pages.rows import age_of
from patients.policies import visible_patients
from patients.selectors import Access, accesses_of

ON_A_PAGE = 50

# The beginning of a route's name -> what people call that place. The first that fits counts.
PLACES: list[tuple[str, str | Promise]] = [
    ("patients:accesses", _("This page")),
    ("patients:emergency-access", _("Oversight")),
    ("patients:judge-access", _("Oversight")),
    ("patients:restriction", _("Restriction of the record")),
    ("patients:own", _("Own record")),
    ("patients:document", _("Documents")),
    ("patients:edit", _("Record, to change it")),
    ("patients:detail", _("Record")),
    ("patients:anonymise", _("Record, to anonymise it")),
    ("patients:", _("Patients")),
    ("appointments:today", _("Today")),
    ("appointments:step", _("Today")),
    ("appointments:calendar", _("Calendar")),
    ("appointments:week", _("Calendar")),
    ("appointments:book", _("Booking")),
    ("appointments:", _("Visits")),
    ("admin:", _("Administration")),
    ("api", _("Program (API)")),
]


@dataclass(frozen=True, slots=True)
class AccessRow:
    """A line of the page. `place` in words, the route's name where there are none."""

    access: Access
    place: str | Promise


@require_GET
@page("access_log", "view", patients_too=True)
def accesses(request: ClinicRequest, patient_id: UUID) -> HttpResponse:
    """The newest first, fifty on a page. Five queries."""
    patient = visible_patients(request.actor).found(pk=patient_id)
    shown([patient.pk])
    found = accesses_of(actor=request.actor, patient_id=patient.pk, limit=ON_A_PAGE + 1, before=_moment(request.GET.get("before")))
    rows = [AccessRow(one, place_of(one.route)) for one in found[:ON_A_PAGE]]
    older = urlencode({"before": rows[-1].access.at.isoformat()}) if len(found) > ON_A_PAGE else ""
    context = {"patient": patient, "age": age_of(patient, timezone.localdate()), "rows": rows, "older": older}
    return render(request, "patients/accesses.html", context)


def place_of(route: str) -> str | Promise:
    return next((words for start, words in PLACES if route.startswith(start)), route)


def _moment(text: str | None) -> datetime | None:
    """An instant with its offset; something else counts as not said."""
    try:
        moment = datetime.fromisoformat((text or "").replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and 1900 <= moment.year <= 2999 else None
