"""Which statements count as writing, and who is told of a unit's end."""

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from clinics.models import ClinicSettings
from core.tenancy import units
from core.tenancy.context import Scope, clinic_scope, unit_of_work
from core.tenancy.units import Unit, sees_only_what_is_committed
from tests.factories.threads import apart
from tests.factories.world import World


@pytest.mark.parametrize(
    ("statement", "writes"),
    [
        ('SELECT "a"."updated_at", "a"."deleted", "a"."into_it" FROM a', False),
        ("  select 1", False),
        ("((SELECT 1) UNION (SELECT 2)) INTERSECT (SELECT 1)", False),
        ("((SELECT 1) UNION (SELECT a.b FROM a FOR UPDATE))", True),
        ('SAVEPOINT "s1"', False),
        ('ROLLBACK TO SAVEPOINT "s1"', False),
        ("UPDATE a SET b = 1", True),
        ("INSERT INTO a VALUES (1)", True),
        ("DELETE FROM a", True),
        ("TRUNCATE a", True),
        ("WITH gone AS (DELETE FROM a RETURNING 1) SELECT * FROM gone", True),
        ("WITH found AS (SELECT 1) SELECT * FROM found", True),
        ("SELECT * INTO b FROM a", True),
        ("SELECT * FROM a FOR NO KEY UPDATE", True),
        ("SELECT * FROM a FOR SHARE", True),
        ("SELECT hms_announce(ARRAY['*'])", True),
        ("SELECT pg_advisory_xact_lock(1)", True),
        ("SELECT pg_try_advisory_xact_lock(1)", True),
        ("CALL something()", True),
        ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", True),
        (sql.SQL("SELECT 1"), True),
    ],
)
def test_what_counts_as_writing(statement: object, writes: bool) -> None:
    unit = Unit()
    unit.note(statement)
    assert unit.written == writes


def test_a_long_statement_is_looked_through_as_a_short_one_is() -> None:
    """What is known of it is remembered only up to a length."""
    for size in (10, units.LONGEST):
        for _ in range(2):
            for end, writes in (("", False), (" FOR UPDATE", True)):
                unit = Unit()
                unit.note(f"SELECT a FROM b WHERE c IN ({'%s, ' * size}%s){end}")
                assert unit.written == writes


def test_a_rollback_to_a_savepoint_undoes_what_was_written_or_locked_since() -> None:
    unit = Unit()
    for statement, written in (
        ('SAVEPOINT "s1"', False),
        ("INSERT INTO a VALUES (1)", True),
        ('SAVEPOINT "s2"', True),
        ("DELETE FROM a", True),
        ('ROLLBACK TO SAVEPOINT "s2"', True),  # the INSERT stands
        ('ROLLBACK TO SAVEPOINT "s1"', False),
        ('RELEASE SAVEPOINT "s1"', False),
        ('SAVEPOINT "s3"', False),
        ("UPDATE a SET b = 1", True),
        ('RELEASE SAVEPOINT "s3"', True),
        ('SAVEPOINT "s4"; DELETE FROM a', True),
    ):
        unit.note(statement)
        assert unit.written is written, statement
    in_one = Unit()
    in_one.note('SAVEPOINT "s1"; DELETE FROM a')
    assert in_one.written


def test_after_a_savepoint_was_rolled_back_what_is_kept_counts_again(world: World) -> None:
    def work() -> tuple[bool, bool]:
        with clinic_scope(world.riverside.clinic, reason="test"):
            try:
                with transaction.atomic():
                    ClinicSettings.objects.update(wait_warn_minutes=15)
                    during = sees_only_what_is_committed()
                    raise ZeroDivisionError
            except ZeroDivisionError:
                return during, sees_only_what_is_committed()

    assert apart(work) == [(False, True)]


def test_an_idempotency_key_hides_nothing_that_is_cached() -> None:
    unit = Unit()
    unit.note("\nINSERT INTO core_idempotencyrecord (id) VALUES (1)")
    assert not unit.written
    unit.note("INSERT INTO core_idempotencyrecord_else (id) VALUES (1)")
    assert unit.written


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(units, "_after_commit", [lambda unit: seen.append(unit.touched)])
    return seen


def test_a_committed_unit_tells_what_it_touched_before_other_hooks_run(world: World, told: list[tuple[str, ...]]) -> None:
    known_to_hook: list[int] = []

    def work() -> None:
        with clinic_scope(world.riverside.clinic, reason="test"):
            transaction.on_commit(lambda: known_to_hook.append(len(told)))
            ClinicSettings.objects.update(wait_warn_minutes=15)
            with clinic_scope(world.riverside.clinic, reason="inner"):
                ClinicSettings.objects.update(wait_late_minutes=30)

    apart(work)
    assert told == [(f"clinics_clinicsettings:{world.riverside.clinic.pk}",)]
    assert known_to_hook == [1]


def test_a_unit_that_read_or_failed_tells_nothing_and_asks_nothing(world: World, told: list[tuple[str, ...]]) -> None:
    def work() -> None:
        with clinic_scope(world.riverside.clinic, reason="test"):
            ClinicSettings.objects.count()
        with pytest.raises(ZeroDivisionError), clinic_scope(world.riverside.clinic, reason="test"):
            ClinicSettings.objects.update(wait_warn_minutes=16)
            raise ZeroDivisionError
        with clinic_scope(world.riverside.clinic, reason="test"):
            ClinicSettings.objects.update(wait_warn_minutes=16)
            transaction.set_rollback(True)

    apart(work)
    assert told == []


def test_a_transaction_that_postgresql_gave_up_tells_nothing(world: World, told: list[tuple[str, ...]]) -> None:
    def work() -> None:
        with pytest.raises(DatabaseError), unit_of_work(Scope(reason="test")), connection.cursor() as cursor:
            cursor.execute("UPDATE clinics_clinicsettings SET wait_warn_minutes = 16")
            try:
                cursor.execute("UPDATE nothing SET x = 1")
            except DatabaseError:
                connection.needs_rollback = False  # as code that swallows the error

    apart(work)
    assert told == []


def test_inside_a_test_s_transaction_nobody_sees_only_what_is_committed(world: World) -> None:
    assert not sees_only_what_is_committed()
    with clinic_scope(world.riverside.clinic, reason="test"):
        assert not sees_only_what_is_committed()
    assert apart(sees_only_what_is_committed) == [True]
