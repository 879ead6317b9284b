"""The pages on which patients are found: the list, its results while typing, the box in the top bar."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.errors import ValidationFailed
from core.pages.access import page
from core.requests import ClinicRequest
from core.security.limiting.forms import search_page
from patients.forms import SearchForm, looked_for
from patients.pages.rows import PatientRow, rows_of, rows_of_matches
from patients.selectors import recent_patients, search_patients

RESULTS = 30
SUGGESTIONS = 6


@require_GET
@page("patient", "search")
def list_patients(request: ClinicRequest) -> HttpResponse:
    """Nothing typed yet: the records touched last."""
    recent = rows_of(recent_patients(actor=request.actor, limit=20))
    return render(request, "patients/list.html", {"form": SearchForm(), "rows": recent, "text": ""})


@search_page
@require_http_methods(["GET", "POST"])
@page("patient", "search")
def search(request: ClinicRequest) -> HttpResponse:
    """Results: a whole page, or only the list for the script that asks while somebody types."""
    if request.method == "GET":
        return redirect("patients:list")
    form = SearchForm(request.POST)
    form.is_valid()
    text, _booking = looked_for(str(form.cleaned_data["text"]))
    is_fragment = request.headers.get("HX-Request") == "true"
    refused = None
    rows: list[PatientRow] = []
    try:
        found = rows_of_matches(search_patients(actor=request.actor, text=text, limit=RESULTS)) if text else None
        rows = rows_of(recent_patients(actor=request.actor, limit=20)) if found is None else found
    except ValidationFailed as error:
        refused = error
    context = {"form": form, "rows": rows, "text": text, "refused": refused, "full": len(rows) == RESULTS, "fragment": is_fragment}
    template = "patients/_results.html" if is_fragment else "patients/list.html"
    return render(request, template, context, status=422 if refused else 200)


@search_page
@require_POST
@page("patient", "search")
def suggest(request: ClinicRequest) -> HttpResponse:
    """Options for the box in the top bar. “book for …” turns patients into bookings."""
    text, booking = looked_for(request.POST.get("text", ""))
    try:
        matches = search_patients(actor=request.actor, text=text, limit=SUGGESTIONS)
    except ValidationFailed as error:
        return render(request, "patients/_suggestions.html", {"refused": error})
    context = {
        "rows": rows_of_matches(matches),
        "text": text,
        "booking": booking and request.actor.can("appointment", "create"),
    }
    return render(request, "patients/_suggestions.html", context)
