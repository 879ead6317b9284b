"""Visits of today and what a page's forms hold, for tests of pages."""

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from appointments.choices import ChangeKind
from appointments.models import Appointment
from appointments.services.history import record_change
from core.accounts.actor import system_actor
from core.tenancy.context import clinic_scope
from tests.factories.visits import make_patient
from tests.factories.world import Place


def visit_at(place: Place, minutes: int, **fields: Any) -> Appointment:
    """A visit today that begins so many minutes from now (negative: already past), written past the services' clock."""
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=minutes)
    with clinic_scope(place.clinic, reason="test"):
        visit = Appointment.objects.create(
            **{
                "patient": make_patient(given_name="Amara", family_name=f"Okafor{minutes}"),
                "service": place.services[0],
                "provider": place.providers[0],
                "location": place.locations[0],
                "start": start,
                "end": start + timedelta(minutes=20),
                "time_zone": place.clinic.time_zone,
                "local_day": timezone.localdate(None, place.clinic.zone),
                **fields,
            }
        )
        record_change(actor=system_actor(place.clinic.pk), appointment=visit, kind=ChangeKind.BOOKED)
        return visit


def key_for(page: Any, address: str) -> str:
    """The idempotency key of the form that posts to the address."""
    form = re.search(rf'<form[^>]*action="{re.escape(address)}".*?</form>', page.text, re.S)
    assert form, address
    found = re.search(r'name="idempotency_key" value="([^"]+)"', form.group())
    assert found
    return found.group(1)


def status_of(place: Place, visit: Appointment) -> str:
    with clinic_scope(place.clinic, reason="test"):
        return Appointment.objects.get(pk=visit.pk).status
