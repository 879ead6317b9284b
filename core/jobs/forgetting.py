"""What is done every few minutes leaves many rows that say nothing: they go sooner than the others."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from core.jobs.schedule import SCHEDULE

KEPT_DAYS = 2  # enough for the statistics, and to see that it is done at all
HOURS = 24


def frequent_kinds() -> list[str]:
    """The kinds that the schedule begins in every hour of a day."""
    return sorted({entry.kind for entry in SCHEDULE if len(entry.crontab.hours) == HOURS})


def succeeded_often(connection: psycopg.Connection[Any]) -> Iterator[tuple[sql.Composed, str, str]]:
    """Their jobs that have succeeded, as core.database.retention asks for what is due. One query."""
    template = sql.SQL("core_job WHERE state = 'succeeded' AND kind = ANY ({}) AND finished_at < now() - make_interval(days => {})")
    where = template.format(sql.Literal(frequent_kinds()), sql.Literal(KEPT_DAYS))
    (count,) = connection.execute(sql.SQL("SELECT count(*) FROM ") + where).fetchone() or (0,)
    if count:
        yield sql.SQL("DELETE FROM ") + where, "jobs that are done every few minutes", f"{count} older than {KEPT_DAYS} days"
