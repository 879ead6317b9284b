"""Who works beside the web processes: broker, workers, clock. The ledger tells whether what is due is done; the workers' own
signs of life tell which process doesn't do its part."""

from typing import Any

from django.db import connections

from core.health.checks import Status, Unwell
from core.jobs.broker import messages_waiting
from core.tenancy.context import Scope, unit_of_work
from core.workers.selectors import Seen, seen_processes

SILENT = 60.0  # seconds that a job is due while its class of workers begins nothing: nobody works
BEHIND = 300.0  # seconds that a job is due while its class is at work: there are too few
CLOCK = 150.0  # seconds after the last minute that a clock has noted; a running one notes each within some ten seconds

# Due jobs that wait for no other; and when each class last began one, as far as that was in the last minute or lasts.
WORKERS = """
SELECT workers, coalesce(max(waits), 0), bool_or(at_work) FROM (
    SELECT workers, extract(epoch FROM statement_timestamp() - run_at) AS waits, false AS at_work FROM core_job
    WHERE state IN ('queued', 'retrying') AND run_at <= statement_timestamp() AND after = '{}'
    UNION ALL
    SELECT workers, 0, true FROM core_job WHERE state = 'running' AND lease_until > statement_timestamp()
    UNION ALL
    SELECT workers, 0, true FROM core_job WHERE finished_at > statement_timestamp() - %s * interval '1 second'
) AS jobs GROUP BY workers
"""


def broker() -> dict[str, float]:
    """Does it take messages? Asks on a connection of its own."""
    return {"messages": float(sum(messages_waiting().values()))}


def workers() -> dict[str, Any]:
    """Does each class of workers take what is due, and does each process live? Two queries. A class for which nothing is due has
    nothing to prove; the clock's jobs make something due for two of them each minute.

    `processes` are those that have given a sign of life within the last hour, and `not_well` how many of them are not.
    """
    with unit_of_work(Scope(reason="health")), connections["default"].cursor() as cursor:
        cursor.execute(WORKERS, [SILENT])
        found = {name: (float(waits), bool(at_work)) for name, waits, at_work in cursor.fetchall()}
        seen = seen_processes()
    figures: dict[str, Any] = {f"{name}_oldest_seconds": round(waits, 1) for name, (waits, _) in sorted(found.items())}
    figures["not_well"] = sum(not one.is_well for one in seen)
    figures["processes"] = [one.as_dict() for one in seen]
    if silent := [name for name, (waits, at_work) in sorted(found.items()) if waits > SILENT and not at_work]:
        raise Unwell(f"Nobody takes the jobs of: {', '.join(silent)}.{_named(seen)}", figures=figures)
    if figures["not_well"]:
        raise Unwell(_named(seen).strip(), _weight_of(seen), figures)
    if late := [name for name, (waits, _) in sorted(found.items()) if waits > BEHIND]:
        raise Unwell(f"Too few workers for: {', '.join(late)}.", Status.DEGRADED, figures)
    return figures


def _named(seen: list[Seen]) -> str:
    """The processes that are not well, in sentences with a space before each."""
    silent = [f"{one.label} ({one.silent_s:.0f} s)" for one in seen if one.is_silent]
    idle = [f"{one.label} ({one.idle_parent_s:.0f} s)" for one in seen if one.takes_nothing]
    said = f" No sign of life from: {', '.join(silent)}." if silent else ""
    return said + (f" Celery stands still before: {', '.join(idle)}." if idle else "")


def _weight_of(seen: list[Seen]) -> Status:
    """Unhealthy where a class has nobody else who is well."""
    served = {name for one in seen if one.is_well for name in one.classes}
    left = {name for one in seen if not one.is_well for name in one.classes}
    return Status.UNHEALTHY if left - served else Status.DEGRADED


def clock() -> dict[str, float]:
    """Is the schedule followed? One query. `age_seconds`: since the last minute that was."""
    with unit_of_work(Scope(reason="health")), connections["default"].cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM statement_timestamp() - max(moment)) FROM core_schedulemark")
        (age,) = cursor.fetchone()
    if age is None:
        raise Unwell("It has never ticked.")
    figures = {"age_seconds": round(float(age), 1)}
    if float(age) > CLOCK:
        raise Unwell(f"It has not ticked for {float(age):.0f} s.", figures=figures)
    return figures
