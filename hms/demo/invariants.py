"""What has to be true of a demo clinic's visits before anyone sees them."""

from datetime import date, datetime

from django.db.models import Count, F, OuterRef, Q, Subquery

from appointments.choices import FREED, Status
from appointments.models import Appointment, AppointmentChange


class BrokenDemo(AssertionError):
    """The demo's planning went wrong: a fault of ours, and nothing is kept."""


def check_invariants(*, now: datetime, day: date) -> None:
    """Raises BrokenDemo. Nine queries."""
    visits = Appointment.objects.all()
    newest = AppointmentChange.objects.filter(appointment=OuterRef("pk")).order_by("-at", "-id").values("to_status")[:1]
    claimed = visits.annotate(claimed=Count("claims"))
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
        "a status is not its history's": visits.annotate(newest=Subquery(newest)).exclude(newest=F("status")),
        "a visit has no history": visits.filter(changes=None),
        "a visit that takes its time lacks a claim": claimed.exclude(status__in=FREED).filter(claimed__lt=2),
        "a visit that is off holds a claim": claimed.filter(status__in=FREED, claimed__gt=0),
    }
    for sentence, found in broken.items():
        if found.exists():
            raise BrokenDemo(f"{sentence}: {found.values_list('pk', flat=True)[0]}")
