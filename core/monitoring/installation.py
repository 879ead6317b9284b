"""Figures of the installation as a whole that stand in the database, one more source of core.metrics."""

from datetime import timedelta

from django.db import connections
from django.utils import timezone

from core.metrics.sources import Figure, add_source
from core.tenancy.context import platform_scope

ACTIVE = timedelta(minutes=15)  # `last_seen` of a session is exact to five
ASK = """
SELECT pg_database_size(current_database()), count(*), count(DISTINCT user_id) FILTER (WHERE last_seen > %(active)s)
FROM core_authsession WHERE ended_at IS NULL AND expires > %(now)s
"""


def register() -> None:
    """At start."""
    add_source("installation", installation, kept=30.0)


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
