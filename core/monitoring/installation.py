"""Figures of the installation as a whole, two more sources of core.metrics: of the database, and of health's checks."""

from datetime import timedelta

from django.db import connections
from django.utils import timezone

from core.health.checks import Status, look
from core.health.checks import checks as health_checks
from core.metrics.sources import Figure, add_source
from core.tenancy.context import platform_scope

ACTIVE = timedelta(minutes=15)  # `last_seen` of a session is exact to five
LEVELS = {Status.HEALTHY: 0.0, Status.DEGRADED: 1.0, Status.UNHEALTHY: 2.0}
ASK = """
SELECT pg_database_size(current_database()), count(*), count(DISTINCT user_id) FILTER (WHERE last_seen > %(active)s)
FROM core_authsession WHERE ended_at IS NULL AND expires > %(now)s
"""


def register() -> None:
    """At start."""
    add_source("installation", installation, kept=30.0)
    add_source("checks", checks, kept=5.0, limit=4.0)  # longer than the longest limit of a check, which is told then


def installation() -> list[Figure]:
    """Size and people, of all clinics together. One query."""
    now = timezone.now()
    with platform_scope(reason="metrics"), connections["platform"].cursor() as cursor:
        cursor.execute(ASK, {"now": now, "active": now - ACTIVE})
        size, sessions, people = cursor.fetchone()
    return [
        Figure("hms_database_bytes", "Size of the database.", (), {(): float(size)}),
        Figure("hms_sessions_live", "Sessions that can be used now.", (), {(): float(sessions)}),
        Figure("hms_people_active", "People who asked for something within the last 15 minutes.", (), {(): float(people)}),
    ]


def checks() -> list[Figure]:
    """How each check stands; one that can't be seen at the moment is left out. No query but those of the checks."""
    found: dict[tuple[str, ...], float] = {(one.name,): LEVELS[one.status] for one in look(health_checks()) if one.status in LEVELS}
    return [Figure("hms_check_status", "What health's check found: 0 healthy, 1 degraded, 2 unhealthy.", ("check",), found)]
