"""Which visits somebody may see."""

from django.db.models import QuerySet

from appointments.models import Appointment
from appointments.querysets import AppointmentQuerySet
from clinics.models import Location
from core.accounts.actor import Actor
from patients.models import PatientAccount


def visible_appointments(actor: Actor) -> AppointmentQuerySet:
    """The clinic's visits; only those at the person's locations if they have some; a patient's own. No query yet."""
    visits: AppointmentQuerySet = Appointment.objects.all()
    if not actor.can("appointment", "view"):
        return visits.none()
    if actor.location_ids:
        visits = visits.filter(location_id__in=actor.location_ids)
    if actor.is_patient_only:
        own = PatientAccount.objects.filter(user=actor.user_id).values("patient_id")
        visits = visits.filter(patient_id__in=own)
    return visits


def bookable_locations(actor: Actor) -> QuerySet[Location]:
    """Where somebody may book and look: the locations in use, or those of them that are theirs. No query yet."""
    places = Location.objects.filter(is_active=True)
    return places.filter(pk__in=actor.location_ids) if actor.location_ids else places
