"""The clinic's settings: what there is to set, and the lists that are read here and changed in the administration."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from clinics.selectors import clinic_settings, departments_in_use, locations_in_use, rooms_in_use
from core.accounts.roles import Role
from core.pages.access import page
from core.pages.navigation import settings_for
from core.requests import ClinicRequest
from core.tenancy.protection import mark_choices


@require_GET
@page("schedule", "view")
def overview(request: ClinicRequest) -> HttpResponse:
    demanding = ", ".join(str(Role(role).label) for role in request.clinic.second_factor_roles)
    protected = ", ".join(label for mark, label in mark_choices() if mark in request.clinic.protected_fields)
    context = {
        "links": settings_for(request.actor), "rules": clinic_settings(actor=request.actor), "second_factor_roles": demanding,
        "protected": protected,
    }  # fmt: skip
    return render(request, "clinics/settings.html", context)


@require_GET
@page("room", "view")
def places(request: ClinicRequest) -> HttpResponse:
    """Locations with their rooms, and departments. Three queries."""
    rooms = rooms_in_use(actor=request.actor)
    locations = [
        {"location": location, "rooms": [room for room in rooms if room.location_id == location.pk]}
        for location in locations_in_use(actor=request.actor)
    ]
    return render(request, "clinics/places.html", {"locations": locations, "departments": departments_in_use(actor=request.actor)})
