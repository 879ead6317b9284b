"""What the connections of this process, and of the server, are doing: for metrics and for operators."""

from dataclasses import asdict
from typing import Any

from django.db import connections

from core.database.backend.base import DatabaseWrapper
from core.database.breaker import breakers

BY_ROLE = """
SELECT usename, application_name, count(*), count(*) FILTER (WHERE state = 'active'),
       coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1, 2 ORDER BY 1, 2
"""


def pool_statistics() -> dict[str, dict[str, int]]:
    """For each alias with an open pool psycopg's counters: size, available, waiting, requests, wait in ms, lost, errors.

    No statement; empty in a process without pools.
    """
    return {alias: pool.get_stats() for alias, pool in DatabaseWrapper._connection_pools.items()}  # type: ignore[attr-defined]


def breaker_statistics() -> dict[str, dict[str, Any]]:
    """The state of each server's breaker in this process (core.database.breaker.BreakerState). No statement."""
    return {breaker.name: asdict(breaker.state) for breaker in breakers()}


def connections_of_the_server(alias: str = "default") -> list[str]:
    """Who is connected to the database, one sentence a role and program. One query; only the own role's details are shown."""
    with connections[alias].cursor() as cursor:
        cursor.execute(BY_ROLE)
        rows = cursor.fetchall()
    return [
        f"{role} ({program or 'details hidden from hms_app'}): {count} connections, {active} at work, "
        f"oldest transaction {float(oldest):.1f} s"
        for role, program, count, active, oldest in rows
    ]
