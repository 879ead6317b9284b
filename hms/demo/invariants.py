"""What has to be true of a demo clinic's visits before anyone sees them."""

from collections import Counter
from datetime import date, datetime

from django.db.models import F, Q

from appointments.choices import FREED, Status
from appointments.models import Appointment, AppointmentChange, Claim

CLAIMS = 2  # at least, of each visit that takes its time: the provider's and the patient's


class BrokenDemo(AssertionError):
    """The demo's planning went wrong: a fault of ours, and nothing is kept."""


def check_invariants(*, now: datetime, day: date) -> None:
    """Raises BrokenDemo. Eight queries.

    What joins tables is compared here: just after the clinic was filled PostgreSQL has no statistics yet to plan a join by.
    """
    visits = Appointment.objects.all()
    seen = Q(status=Status.COMPLETED)
    broken = {
        "a visit of the past is still open": visits.filter(
            local_day__lt=day, status__in=[Status.REQUESTED, Status.CONFIRMED, Status.CHECKED_IN, Status.IN_PROGRESS]
        ),
        "a visit of days to come has begun": visits.filter(local_day__gt=day).filter(
            seen | Q(status__in=[Status.CHECKED_IN, Status.IN_PROGRESS, Status.NO_SHOW])
        ),
        "a visit ended before it began": visits.filter(Q(completed_at__lt=F("started_at")) | Q(started_at__lt=F("checked_in_at"))),
        "a visit ended in the future": visits.filter(Q(completed_at__gt=now) | Q(started_at__gt=now) | Q(checked_in_at__gt=now)),
        "a visit that is done lacks its moments": visits.filter(seen).filter(
            Q(checked_in_at=None) | Q(started_at=None) | Q(completed_at=None)
        ),
    }
    for sentence, found in broken.items():
        if found.exists():
            raise BrokenDemo(f"{sentence}: {found.values_list('pk', flat=True)[0]}")
    statuses = dict(visits.values_list("pk", "status"))
    newest = dict(AppointmentChange.objects.order_by("at", "id").values_list("appointment_id", "to_status"))
    claims = Counter(Claim.objects.exclude(appointment=None).values_list("appointment_id", flat=True))
    for pk, status in statuses.items():
        if newest.get(pk) != status:
            raise BrokenDemo(f"a status is not its history's: {pk}")
        if status in FREED and claims[pk]:
            raise BrokenDemo(f"a visit that is off holds a claim: {pk}")
        if status not in FREED and claims[pk] < CLAIMS:
            raise BrokenDemo(f"a visit that takes its time lacks a claim: {pk}")
