"""What the clinics' day looks like, in numbers of the whole installation: for metrics."""

from collections.abc import Iterable, Mapping

from django.db import connections

from appointments.choices import Status, TicketStatus
from core.metrics.sources import Figure
from core.tenancy.context import platform_scope

# A day is each location's own; a clinic's zone is close enough to add up by. The index by clinic and day serves each clinic.
VISITS = """
SELECT found.status, sum(found.visits) FROM core_clinic AS clinic CROSS JOIN LATERAL (
    SELECT status, count(*) AS visits FROM appointments_appointment
    WHERE clinic_id = clinic.id AND local_day = (statement_timestamp() AT TIME ZONE clinic.time_zone)::date GROUP BY status
) AS found WHERE clinic.state = 'active' GROUP BY found.status
"""
TICKETS = """
SELECT found.status, sum(found.tickets) FROM core_clinic AS clinic CROSS JOIN LATERAL (
    SELECT status, count(*) AS tickets FROM appointments_ticket
    WHERE clinic_id = clinic.id AND day = (statement_timestamp() AT TIME ZONE clinic.time_zone)::date GROUP BY status
) AS found WHERE clinic.state = 'active' GROUP BY found.status
"""


def day_figures() -> list[Figure]:
    """Visits and tickets of today by status, of all active clinics together. Two queries, across clinics."""
    with platform_scope(reason="metrics"), connections["platform"].cursor() as cursor:
        cursor.execute(VISITS)
        visits = dict(cursor.fetchall())
        cursor.execute(TICKETS)
        tickets = dict(cursor.fetchall())
    return [
        Figure("hms_visits_today", "Visits of today by status.", ("status",), _by_status(Status.values, visits)),
        Figure("hms_tickets_today", "Tickets of today's queues by status.", ("status",), _by_status(TicketStatus.values, tickets)),
    ]


def _by_status(statuses: Iterable[str], counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(one,): float(counts.get(one, 0)) for one in statuses}
