"""What the walking tests put where a route has a parameter: one record of each noun, by clinic."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from appointments.choices import ExceptionKind
from appointments.models import Appointment, Holiday, Schedule, ScheduleException, Service
from clinics.models import Department, Location, Provider, Room
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from patients.models import Consent, Patient
from tests.factories.routes import Route
from tests.factories.visits import at, book
from tests.factories.world import Place

NOUNS = {
    "patients": Patient,
    "of-patient": Patient,
    "appointments": Appointment,
    "services": Service,
    "schedules": Provider,  # pages: the week of a provider
    "schedule-exceptions": ScheduleException,
    "exceptions": ScheduleException,
    "holidays": Holiday,
    "providers": Provider,
    "locations": Location,
    "departments": Department,
    "rooms": Room,
    "consents": Consent,
    "blocks": Schedule,
}
API_NOUNS = {"schedules": Schedule}


def filled(route: Route, place: Place) -> str:
    """The route's address with the ids of `place`. Fails for a noun that has no case here: add it to NOUNS."""
    path = route.path
    for name in route.parameters:
        slot = f"{{{name}}}"
        before = re.search(r"([\w-]+)/" + re.escape(slot), path)
        noun = before[1] if before else name
        path = path.replace(slot, _id_of(noun, place, route), 1)
    return path


def _id_of(noun: str, place: Place, route: Route) -> str:
    if noun == "drafts":
        return "patient-register"
    if noun == "clinics":
        return str(place.clinic.pk)
    if noun in ("memberships", "staff"):
        return str(place.memberships[Role.NURSE].pk)
    model = (API_NOUNS if route.kind == "api" else {}).get(noun) or NOUNS.get(noun)
    assert model is not None, f"no case for {noun!r} in {route.id}: add one to tests/factories/cases.py"
    with clinic_scope(place.clinic, reason="test case"):
        row = model.objects.order_by("pk").first() or MAKERS[model](place)
    return str(row.pk)


def _holiday(place: Place) -> Holiday:
    return Holiday.objects.create(day=date(2033, 5, 1), name="May day")


def _time_off(place: Place) -> ScheduleException:
    day = date(2033, 6, 1)
    return ScheduleException.objects.create(provider=place.providers[2], kind=ExceptionKind.OFF, first_day=day, last_day=day)


def _visit(place: Place) -> Appointment:
    return book(place, at(place, 21, 10), patient_id=place.patients[0].pk)


MAKERS: dict[Any, Callable[[Place], Any]] = {Appointment: _visit, Holiday: _holiday, ScheduleException: _time_off}


def secrets_of(place: Place) -> list[str]:
    """Words that stand only in this clinic's records; nobody of another clinic may ever be shown one."""
    with clinic_scope(place.clinic, reason="test case"):
        patients = list(Patient.objects.all())
    return [place.clinic.name, *(p.mrn for p in patients), *(p.family_name for p in patients if len(p.family_name) > 4)]
