"""Visits as contacts with a patient: what decides until when a record is kept (patients.selectors.contacts)."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Max, Q
from django.utils import timezone

from appointments.choices import FREED, Status
from appointments.models import Appointment
from patients.selectors.contacts import Contact

UNDER_WAY = (Status.CHECKED_IN, Status.IN_PROGRESS)
PLANNED = (Status.REQUESTED, Status.CONFIRMED)


def visits_as_contacts(patient_ids: Collection[UUID]) -> Mapping[UUID, Contact]:
    """The last day of those that were not cancelled or missed; whether one is planned, or was begun since yesterday. One query."""
    now = timezone.now()
    ahead = Q(status__in=PLANNED, end__gt=now) | Q(status__in=UNDER_WAY, start__gt=now - timedelta(days=1))
    rows = Appointment.objects.filter(patient_id__in=patient_ids).order_by().values("patient_id")
    found = rows.annotate(last=Max("local_day", filter=~Q(status__in=FREED)), open=Count("pk", filter=ahead))
    return {row["patient_id"]: Contact(row["last"], row["open"] > 0) for row in found}
