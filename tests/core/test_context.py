"""The unit of work: nothing on the wire before the first statement, the context with it, nothing left behind."""

import pytest
from django.db import connection, transaction
from psycopg.pq import TransactionStatus

from clinics.models import Location
from core.tenancy.context import Scope, clinic_scope, entered, platform_scope, unit_of_work
from core.tenancy.units import Unit
from tests.factories.threads import apart
from tests.factories.world import World

SEEN = "SELECT current_setting('hms.clinic_id', true), current_setting('hms.user_id', true), current_setting('hms.reason', true)"


def setting() -> tuple[str | None, ...]:
    with connection.cursor() as cursor:
        cursor.execute(SEEN)
        return tuple(cursor.fetchone())


def test_an_empty_unit_of_work_sends_nothing_and_the_first_statement_begins_it(world: World) -> None:
    def work() -> list[TransactionStatus]:
        connection.ensure_connection()
        seen = []
        with unit_of_work(Scope(reason="test")):
            seen.append(connection.connection.info.transaction_status)
            setting()
            seen.append(connection.connection.info.transaction_status)
        return seen

    assert apart(work) == [[TransactionStatus.IDLE, TransactionStatus.INTRANS]]


def test_the_context_ends_with_the_transaction(world: World) -> None:
    def work() -> tuple[tuple[str | None, ...], tuple[str | None, ...]]:
        with clinic_scope(world.riverside.clinic, reason="inside"):
            inside = setting()
        return inside, setting()

    inside, after = apart(work)[0]
    assert inside == (str(world.riverside.clinic.pk), "", "inside")
    assert not any(after)


def test_a_request_that_finds_its_clinic_late_tells_the_database_then(world: World) -> None:
    with unit_of_work(Scope(user_id=world.nobody.pk, reason="request")):
        assert setting()[0] == ""
        with entered(Scope(clinic_id=world.hillcrest.clinic.pk, user_id=world.nobody.pk, reason="request")):
            assert setting()[0] == str(world.hillcrest.clinic.pk)
            assert Location.objects.count() == 2
        assert setting()[0] == ""


def test_a_scope_inside_another_transaction_leaves_no_trace(world: World) -> None:
    with transaction.atomic():
        with clinic_scope(world.riverside.clinic, reason="nested"):
            Location.objects.count()
        assert not any(setting())


@pytest.mark.parametrize("inner", ["riverside", "hillcrest"])
def test_after_a_scope_inside_another_one_the_outer_goes_on(inner: str, world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="same"):
        before = Location.objects.count()
        with clinic_scope(getattr(world, inner).clinic, reason="same"):
            assert Location.objects.count() > 0
        assert Location.objects.count() == before > 0


def test_a_unit_of_work_that_fails_writes_nothing(world: World) -> None:
    with pytest.raises(ZeroDivisionError), clinic_scope(world.riverside.clinic, reason="test"):
        Location.objects.create(name="Never")
        raise ZeroDivisionError
    with clinic_scope(world.riverside.clinic, reason="test"):
        assert not Location.objects.filter(name="Never").exists()


def test_the_platform_scope_wants_a_reason_and_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="reason"), platform_scope(reason=""):
        pass
    with caplog.at_level("INFO"), platform_scope(reason="counting for a test"):
        pass
    assert any(getattr(record, "reason", "") == "counting for a test" for record in caplog.records)


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ('SELECT "clinics_room"."updated_at", "clinics_room"."deleted" FROM "clinics_room"', False),
        ("SELECT pg_current_wal_insert_lsn()", False),
        ('SELECT 1 FROM "clinics_room" FOR UPDATE', True),
        ("WITH gone AS (DELETE FROM x RETURNING 1) SELECT * FROM gone", True),
        ("SELECT pg_advisory_xact_lock(1)", True),
        ('UPDATE "clinics_room" SET name = %s', True),
    ],
)
def test_a_unit_knows_what_writes_or_locks(sql: str, writes: bool) -> None:
    unit = Unit()
    unit.note(sql)
    assert unit.written is writes
