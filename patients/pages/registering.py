"""Registering a patient: one screen, duplicates beside it, nothing typed is lost."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.drafts.services import draft_of, drop_draft, keep_draft
from core.errors import ValidationFailed
from core.forms import from_draft, show_problems
from core.pages.access import page, safe_next
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther
from core.security.limiting.forms import count_search, search_page
from patients.errors import DuplicatePatient
from patients.forms import PatientForm, detail_to_field, duplicate_search, guessed_from, looked_for
from patients.pages.rows import rows_of_duplicates
from patients.selectors import duplicates_of
from patients.services import register_patient
from patients.validators import NOTES_LENGTH, ClinicRules

DRAFT = "patient-register"
BESIDE = "patient-register:beside"  # of a registration that was begun while another was unfinished
BOOK, TICKET = "book", "ticket"
# What comes after registering, by the word of its button: the page, and what was said on it before, which goes along; then the
# words, which no address may hold: a draft of the page and the new patient keeps them.
ONWARD: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    BOOK: ("appointments:book", ("service", "provider", "location", "day", "slot", "start", "is_urgent", "walk_in"), ("notes",)),
    TICKET: ("appointments:queue-take", ("location", "caller", "series", "priority"), ()),
}
SAID = "said-"  # before the name of such words in the registration's form, which has notes of its own
KEPT = "kept"  # in the address: there is a draft of them
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PLAIN = re.compile(rf"[\dTZ:.+-]{{1,40}}|(?:[\dTZ:.+-]{{1,40}}~|[pr]-)?{ID}", re.ASCII)  # times and ids: never words


@require_http_methods(["GET", "POST"])
@page("patient", "create")
def register(request: ClinicRequest) -> HttpResponse:
    if request.method == "GET":
        draft = draft_of(actor=request.actor, form=DRAFT) or draft_of(actor=request.actor, form=BESIDE)
        form = PatientForm()
        form.fields["given_name"].widget.attrs["autofocus"] = True
        form.initial = {"country": request.clinic.country} | (from_draft(form.fields.items(), draft) if draft else {})
        said = {name: values[-1] for name, values in draft.values.items() if values} if draft else {}
        return _page(request, form, draft=draft, draft_form=draft.form if draft else DRAFT, **_errand(said))
    count_search(request)
    form = PatientForm(request.POST)
    form.is_valid()
    data = form.typed() | {"consents": {kind: True for kind, ticked in form.ticked().items() if ticked}}
    try:
        patient = register_patient(actor=request.actor, data=data, accept_duplicate="accept_duplicate" in request.POST)
    except ValidationFailed as error:
        show_problems(form, error, rename=detail_to_field)
        return _again(request, form, status=422)
    except DuplicatePatient as error:
        duplicates = rows_of_duplicates(error.duplicates)
        return _again(request, form, status=409, duplicates=duplicates, refused=error, then=request.POST.get("then"))
    drop_draft(actor=request.actor, form=_draft_form(request))
    toast(request, _("Registered as %(mrn)s") % {"mrn": patient.mrn})
    return HttpResponseSeeOther(_onward(request, patient.pk))


@require_POST
@page("patient", "create")
def begin(request: ClinicRequest) -> HttpResponse:
    """Open the form with what was looked for in vain, from the box or from another form, which goes on afterwards.

    By POST: a name must not stand in an address. A registration that is unfinished stays, and is told of.
    """
    text, booking = looked_for((request.POST.get("text") or request.POST.get("q") or "")[:200])
    form = PatientForm(initial={"country": request.clinic.country} | guessed_from(text))
    left = draft_of(actor=request.actor, form=DRAFT)
    said = request.POST.dict() | ({"came": BOOK} if booking else {})
    said |= {SAID + name: said.get(name, "") for name in ONWARD.get(said.get("came", ""), ("", (), ()))[2]}
    return _page(request, form, left=left, draft_form=BESIDE if left else DRAFT, **_errand(said, safe_next(request)))


@search_page
@require_POST
@page("patient", "create")
def duplicates(request: ClinicRequest) -> HttpResponse:
    """Who may be registered already, asked while the form is being filled."""
    rules = ClinicRules(country=request.clinic.country, today=timezone.localdate())
    typed = duplicate_search(request.POST.dict(), rules)
    found = duplicates_of(actor=request.actor, **typed) if any(typed.values()) else []
    return render(request, "patients/_duplicates.html", {"duplicates": rows_of_duplicates(found)})


def _again(request: ClinicRequest, form: PatientForm, *, status: int, **context: Any) -> HttpResponse:
    errand = _errand(request.POST.dict(), safe_next(request))
    return _page(request, form, status, draft_form=_draft_form(request), **errand, **context)


def _page(request: ClinicRequest, form: PatientForm, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, "patients/register.html", {"form": form, **context}, status=status)


def _draft_form(request: ClinicRequest) -> str:
    return BESIDE if request.POST.get("draft") == BESIDE else DRAFT


def _errand(said: Mapping[str, str], back: str = "/") -> dict[str, Any]:
    """What somebody was about to do when the patient turned out to be new: `came` names it, `carried` is what they had said.

    Of what they had said only times and ids, the address to go back to, and the words of the page; everything else counts as
    not said.
    """
    came = said.get("came", "")
    if came not in ONWARD:
        return {"came": "", "carried": {}}
    _name, plain, words = ONWARD[came]
    carried = {name: said[name] for name in plain if PLAIN.fullmatch(said.get(name, ""))}
    carried |= {SAID + name: said[SAID + name][:NOTES_LENGTH] for name in words if said.get(SAID + name)}
    return {"came": came, "carried": carried | ({"next": back} if came == BOOK and back != "/" else {})}


def _onward(request: ClinicRequest, patient_id: UUID) -> str:
    """The address of what the pressed button does next: the patient's record, unless it says something else.

    Words that go along cost a draft.
    """
    then = request.POST.get("then") or request.POST.get("accept_duplicate") or ""
    if then not in ONWARD:
        return reverse("patients:detail", args=[patient_id])
    carried = _errand(request.POST.dict() | {"came": then}, safe_next(request))["carried"]
    words = {name: carried.pop(SAID + name) for name in ONWARD[then][2] if SAID + name in carried}
    if words:
        keep_draft(actor=request.actor, form=draft_of_errand(then, patient_id), typed=QueryDict(urlencode(words)))
        carried[KEPT] = "1"
    return f"{reverse(ONWARD[then][0])}?{urlencode({'patient': str(patient_id), **carried})}"


def draft_of_errand(came: str, patient_id: UUID) -> str:
    """Under which name the words of an errand are kept for the page that goes on with this patient."""
    return f"{came}:{patient_id}"
