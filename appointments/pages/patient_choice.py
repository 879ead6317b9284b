"""Finding and picking a patient inside of another form: of the booking panel, and of a ticket at the desk."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from appointments.pages.reading import read_uuid
from core.audit.subjects import Reading, shown
from core.pages.access import page
from core.requests import ClinicRequest
from core.security.limiting.forms import count_search, search_page
from patients.models import Patient
from patients.pages.registering import BOOK
from patients.policies import visible_patients
from patients.selectors import PatientMatch, recent_patients, search_patients

SHORTEST_SEARCH = 2
RECENT = 4
MATCHES = 6


@dataclass
class PatientChoice:
    """Who it is, or whom one may choose from. `pick_url` answers a choice with the form, `find_url` what is typed with matches.

    `errand` says what the form is for to whoever registers a new patient in between (`patients.pages.registering.ONWARD`).
    """

    pick_url: str
    find_url: str = ""
    text: str = ""
    errand: str = BOOK
    patient: Patient | None = None
    matches: list[PatientMatch] = field(default_factory=list)
    recent: list[Patient] = field(default_factory=list)

    def note(self) -> None:
        """For the access log: these were shown."""
        shown([self.patient.pk] if self.patient else [])
        shown([match.patient.pk for match in self.matches], Reading.SEARCH)
        shown([patient.pk for patient in self.recent], Reading.LIST)


def picked(data: QueryDict) -> UUID | None:
    """Who is chosen by what the form says; None when nobody is, any more."""
    return None if "change_patient" in data else read_uuid(data.get("pick") or data.get("patient"))


def typed_text(data: QueryDict) -> str:
    return data.get("q", "").strip()[:100]


def fill(
    choice: PatientChoice, request: ClinicRequest, *, patient_id: UUID | None = None, offers_recent: bool = True
) -> PatientChoice:
    """The patient of this id if this person may see them, else who fits the text, else those seen last. At most two queries.

    Who fits the text is a search, and counted as one: raises RateLimited.
    """
    actor = request.actor
    if patient_id:
        choice.patient = visible_patients(actor).filter(pk=patient_id).first()
    if choice.patient is None and actor.can("patient", "search"):
        if len(choice.text) >= SHORTEST_SEARCH:
            count_search(request)
            choice.matches = search_patients(actor=actor, text=choice.text, limit=MATCHES)
        elif offers_recent and not choice.text:
            choice.recent = recent_patients(actor=actor, limit=RECENT)
    return choice


def matches_for(pick_name: str, errand: str = BOOK) -> Callable[..., HttpResponse]:
    """The view that answers while somebody types: who it may be. A choice goes to the address of this name."""

    @search_page
    @require_POST
    @page("patient", "search")
    def patient_matches(request: ClinicRequest) -> HttpResponse:
        choice = fill(PatientChoice(reverse(pick_name), text=typed_text(request.POST), errand=errand), request)
        choice.note()
        return render(request, "appointments/_patient_matches.html", {"choice": choice})

    return patient_matches
