"""Statements that come again are prepared: planned once for any value, and still under each clinic's policy."""

from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from psycopg import sql

from clinics.models import Location
from core.database.explain import Plan, plan_from
from core.database.optimizer import Operation, optimizer
from core.database.retry import retry
from core.tenancy.context import Scope, clinic_scope, unit_of_work
from tests.factories.crowded import crowded
from tests.factories.databases import another
from tests.factories.threads import apart
from tests.factories.world import Place, World


@pytest.fixture
def prepares(monkeypatch: pytest.MonkeyPatch) -> None:
    """New connections prepare, as a web process's do; a command's, and so the tests', don't."""
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "prepare_threshold", settings.PREPARE_AFTER)


OFTEN = 8  # PostgreSQL plans five times for the values, and then compares
PLANS = "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE %s"


def test_a_plan_for_any_value_shows_each_clinic_its_own(world: World, prepares: None) -> None:
    """The policy alone tells the clinics apart, long after PostgreSQL has ceased to plan for the values."""

    def work() -> tuple[set[Any], Any]:
        wrong: set[Any] = set()
        for _ in range(OFTEN):
            for place in (world.riverside, world.hillcrest):
                with clinic_scope(place.clinic, reason="test"), connection.cursor() as cursor:
                    cursor.execute("SELECT clinic_id FROM clinics_location WHERE is_active = %s", [True])
                    found = {row[0] for row in cursor.fetchall()}
                    assert found
                    wrong |= found - {place.clinic.pk}
        with connection.cursor() as cursor:
            cursor.execute(PLANS, ["SELECT clinic_id FROM clinics_location%"])
            return wrong, cursor.fetchall()

    [(wrong, plans)] = apart(work)
    assert not wrong
    assert len(plans) == 1 and plans[0][0] > 0


def test_the_plan_for_any_value_reads_by_the_clinics_indexes_too(riverside: Place) -> None:
    """Every operation in a full clinic, by the plan that PostgreSQL has settled upon after OFTEN times."""
    wrong: dict[str, list[str]] = {}
    generic = 0
    with crowded(riverside):
        for name in optimizer.names():
            with clinic_scope(riverside.clinic, reason="test"):
                for text, values in statements_of(optimizer.operation(name)):
                    plan, is_generic = settled(text, values)
                    generic += is_generic
                    if faults := [*plan.findings(), *(f for f in plan.findings(few_rows=0) if f.code == "no_index_condition")]:
                        wrong[f"{name}: {text[:80]}"] = [str(fault) for fault in faults]
    assert generic > 20
    assert not wrong


def statements_of(operation: Operation) -> list[tuple[str, Any]]:
    """What it asks, once."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, text: Any, values: Any, many: bool, context: dict[str, Any]) -> Any:
        asked.append((text, values))
        return execute(text, values, many, context)

    arguments = operation.sample()
    with transaction.atomic(), connection.execute_wrapper(note):
        operation.run(**arguments)
        transaction.set_rollback(True)
    return [(text, values) for text, values in asked if text.lstrip(" (").startswith("SELECT")]


def settled(text: str, values: Any) -> tuple[Plan, bool]:
    """The plan of the last of OFTEN executions, and whether it is one for any value."""
    first, *others = text.replace("%%", "%").split("%s")
    body = first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
    given = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, values))) if values else sql.SQL("")
    driver = connections["default"].connection
    with driver.transaction(force_rollback=True):
        driver.execute(f"PREPARE tried AS {body}")
        for _ in range(OFTEN):
            (said,) = driver.execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE tried") + given).fetchone()
        (generic,) = driver.execute("SELECT generic_plans FROM pg_prepared_statements WHERE name = 'tried'").fetchone()
        driver.execute("DEALLOCATE tried")
    return plan_from(said, analyze=True), generic > 0


@pytest.mark.parametrize("field", ["pk", "name", "created_at", "is_active"])
def test_any_of_finds_what_in_finds_and_reads_the_same_for_any_number(in_riverside: Place, field: str) -> None:
    rows = Location.objects.order_by("pk")
    values = list(rows.values_list(field, flat=True))
    assert len(values) > 1
    texts = set()
    for some in ([], values[:1], values):
        found = rows.filter(**{f"{field}__any_of": some})
        assert list(found) == list(rows.filter(**{f"{field}__in": some}))
        texts.add(found.query.sql_with_params()[0])
    assert len(texts) == 1


def test_a_table_that_changed_costs_a_unit_of_work_one_more_run(prepares: None) -> None:
    """PostgreSQL refuses a prepared statement whose columns got another type; rolled back, it is prepared anew."""
    runs = []

    @retry
    def unit() -> list[Any]:
        with unit_of_work(Scope(reason="test")), connection.cursor() as cursor:
            runs.append(1)
            cursor.execute("SELECT * FROM changing WHERE true = %s", [True])
            return list(cursor.fetchall())

    with another("default") as wrapper:
        with wrapper.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE changing AS SELECT 1 AS number")
        for _ in range(settings.PREPARE_AFTER + 2):
            assert unit() == [(1,)]
        runs.clear()
        with wrapper.cursor() as cursor:
            cursor.execute("DO $$ BEGIN ALTER TABLE changing ALTER number TYPE text; END $$")  # unseen by the driver
        assert unit() == [("1",)]
    assert len(runs) == 2
