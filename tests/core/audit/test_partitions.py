"""The log's months: made ahead, filled from what came early, dropped when they are old; by maintenance alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from core.audit.partitions import due_partitions
from core.tenancy.ids import new_id
from tests.architecture.catalogue import connected


@pytest.fixture
def maintenance(world: object) -> Any:
    with connected("hms_maintenance") as connection:
        yield connection


def carry_out(connection: psycopg.Connection[Any], today: date) -> list[str]:
    tasks = list(due_partitions(connection, today))
    for statement, _, _ in tasks:
        connection.execute(statement)
    return [words for _, words, _ in tasks]


def parts(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'core_accessevent'::regclass")
    return {name for (name,) in rows}


def add(connection: psycopg.Connection[Any], at: datetime) -> Any:
    event, clinic = new_id(), new_id()
    connection.execute(
        "INSERT INTO core_accessevent (clinic_id, at, event_id, route, method, status, address, request_id, why, reading) "
        "VALUES (%s, %s, %s, 'r', 'GET', 200, '', '', '', 'view')",
        [clinic, at, event],
    )
    connection.execute("INSERT INTO core_accessedpatient VALUES (%s, %s, %s, %s)", [clinic, new_id(), at, event])
    return event


def lies_in(connection: psycopg.Connection[Any], event: Any) -> list[str]:
    return [
        name
        for table in ("core_accessevent", "core_accessedpatient")
        for (name,) in connection.execute(f"SELECT tableoid::regclass::text FROM {table} WHERE event_id = %s", [event])
    ]


def test_the_migration_made_this_month_and_three_more(maintenance: psycopg.Connection[Any]) -> None:
    applied = "SELECT (applied AT TIME ZONE 'UTC')::date FROM django_migrations WHERE app = 'core' AND name = '0008_access_log'"
    (day,) = maintenance.execute(applied).fetchone() or ()
    assert list(due_partitions(maintenance, day)) == []
    assert f"core_accessevent_{day:%Y%m}" in parts(maintenance)


def test_what_came_before_its_month_was_made_moves_there(maintenance: psycopg.Connection[Any]) -> None:
    first, last = datetime(2041, 5, 1, tzinfo=UTC), datetime(2041, 6, 1, tzinfo=UTC) - timedelta(microseconds=1)
    events = [add(maintenance, at) for at in (first, last, last + timedelta(microseconds=1))]
    assert [lies_in(maintenance, event) for event in events] == [["core_accessevent_default", "core_accessedpatient_default"]] * 3
    assert carry_out(maintenance, date(2041, 4, 30))[:2] == ["access log of 2041-04", "access log of 2041-05"]
    assert [lies_in(maintenance, event)[0] for event in events] == ["core_accessevent_204105"] * 2 + ["core_accessevent_204106"]
    assert lies_in(maintenance, events[0])[1] == "core_accessedpatient_204105"


def test_a_month_is_dropped_when_all_of_it_is_too_old(maintenance: psycopg.Connection[Any], settings: Any) -> None:
    settings.HMS_ACCESS_LOG_YEARS = 2
    carry_out(maintenance, date(2041, 5, 20))
    old, young = (add(maintenance, datetime(2041, month, 28, tzinfo=UTC)) for month in (5, 6))
    done = carry_out(maintenance, date(2043, 6, 1))
    assert "access log of 2041-05 dropped" in done and "access log of 2041-06 dropped" not in done
    assert (lies_in(maintenance, old), len(lies_in(maintenance, young))) == ([], 2)


@pytest.mark.parametrize("role", ["hms_app", "hms_platform"])
def test_a_new_month_is_closed_to_who_serves(role: str, maintenance: psycopg.Connection[Any]) -> None:
    carry_out(maintenance, date(2041, 5, 20))
    (may,) = maintenance.execute("SELECT has_table_privilege(%s, 'core_accessevent_204105', 'SELECT')", [role]).fetchone() or ()
    assert may is False
