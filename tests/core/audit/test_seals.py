"""What the owner of the database does to the access log is found and named; months that are old enough go without a word."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from core.audit.partitions import due_partitions
from core.history import sealing
from core.history.anchors import anchor, read_anchors
from core.history.sealed import sealed_tables
from core.history.sealing import seal
from core.history.verification import Verified, verify
from core.tenancy.ids import new_id
from tests.architecture.catalogue import connected
from tests.core.history.sealed_rows import SealedRows
from tests.factories.world import Place, World

EVENT, ACCESSED = "core_accessevent", "core_accessedpatient"
MAY, JUNE = datetime(2041, 5, 20, tzinfo=UTC), datetime(2041, 6, 2, tzinfo=UTC)
ADD = """
INSERT INTO core_accessevent (clinic_id, at, event_id, route, method, status, address, request_id, why, reading)
VALUES (%(clinic)s, %(at)s, %(event)s, 'patients:detail', 'GET', 200, '', '', '', 'view')
"""
SIZES = """
SELECT cardinality(row_ids), to_char(month, 'YYYY-MM') FROM core_seal WHERE clinic_id = %s AND table_name = %s ORDER BY number
"""
ADD_PATIENT = (
    "INSERT INTO core_accessedpatient (clinic_id, patient_id, at, event_id) VALUES (%(clinic)s, %(patient)s, %(at)s, %(event)s)"
)


class Log(SealedRows):
    """Riverside's sealed access log in a transaction that is rolled back: twelve looks, in blocks of five rows."""

    def __init__(self, connection: psycopg.Connection[Any], clinic_id: UUID, folder: Path) -> None:
        super().__init__(connection, clinic_id, folder)
        for month in (MAY, JUNE):
            self.do("SELECT hms_make_access_month(%(month)s)", month=month.replace(day=1).date())
        self.look(MAY, 3)
        self.free = {table: self.one(f"SELECT nextval('{table}_seq_seq')") for table in (EVENT, ACCESSED)}
        self.look(MAY, 4)
        self.look(JUNE, 5)
        seal(connection)
        anchor(connection, folder)

    def look(self, at: datetime, times: int) -> None:
        for _ in range(times):
            given = {"at": at, "event": new_id(), "patient": new_id()}
            self.do(ADD, **given)
            self.do(ADD_PATIENT, **given)

    def row(self, block: int, position: int = 1, table: str = EVENT) -> int:
        """The number of a row of that block."""
        return self.row_of(table, block, position)

    def sizes(self, table: str = EVENT) -> list[tuple[int, str]]:
        return self.connection.execute(SIZES, [self.clinic_id, table]).fetchall()

    def found(self, verified: Verified | None = None) -> list[tuple[str, int, int | None, str]]:
        findings = list(verify(self.connection, verified or Verified(), anchors=read_anchors(self.folder)))
        return [(one.chain.table, one.number, one.row_id, one.words) for one in findings if one.chain.clinic_id == self.clinic_id]


@pytest.fixture
def log(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """As the owner, who may switch row-level security off."""
    monkeypatch.setattr(sealing, "BATCH", 5)
    with connected("postgres") as owner:
        yield Log(owner, world.riverside.clinic.pk, tmp_path)


def test_both_tables_are_sealed_month_by_month_and_whole(log: Log) -> None:
    assert {EVENT, ACCESSED} < {one.table for one in sealed_tables()}
    for table in (EVENT, ACCESSED):
        assert log.sizes(table) == [(5, "2041-05"), (2, "2041-05"), (5, "2041-06")]
    verified = Verified()
    assert log.found(verified) == []
    assert verified.unsealed == 0
    log.look(JUNE, 1)
    assert seal(log.connection).blocks == 2 and seal(log.connection).blocks == 0
    assert log.found() == []


@pytest.mark.parametrize(
    "change",
    ["user_id = gen_random_uuid()", "route = 'another'", "why = 'another'", "address = '203.0.113.9'", "request_id = 'another'",
     "at = at + interval '1 microsecond'", "event_id = gen_random_uuid()", "reading = 'list'", "status = 404", "method = 'PUT'"],
)  # fmt: skip
def test_every_column_of_an_event_is_under_the_seal(log: Log, change: str) -> None:
    log.do(f"UPDATE core_accessevent SET {change} WHERE seq = %(seq)s", seq=log.row(2))
    assert log.found() == [(EVENT, 2, log.row(2), "it was changed")]


@pytest.mark.parametrize("change", ["patient_id = gen_random_uuid()", "event_id = gen_random_uuid()"])
def test_every_column_of_whom_it_showed_is_under_the_seal(log: Log, change: str) -> None:
    row = log.row(3, 2, ACCESSED)
    log.do(f"UPDATE core_accessedpatient SET {change} WHERE seq = %(seq)s", seq=row)
    assert log.found() == [(ACCESSED, 3, row, "it was changed")]


def delete_a_row(log: Log) -> Any:
    row = log.row(1, 2)
    log.do("DELETE FROM core_accessevent WHERE seq = %(seq)s", seq=row)
    return [(EVENT, 1, row, "it is missing")]


def delete_whom_it_showed(log: Log) -> Any:
    row = log.row(3, 5, ACCESSED)
    log.do("DELETE FROM core_accessedpatient WHERE seq = %(seq)s", seq=row)
    return [(ACCESSED, 3, row, "it is missing")]


def insert_a_row_in_between(log: Log) -> Any:
    log.look(MAY, 1)
    log.do("UPDATE core_accessevent SET seq = %(free)s WHERE seq > %(last)s", free=log.free[EVENT], last=log.row(3, 5))
    return [(EVENT, 1, log.free[EVENT], "it was added")]


def insert_a_row_under_a_number_that_is_taken(log: Log) -> Any:
    log.look(MAY, 1)
    log.do("UPDATE core_accessevent SET seq = %(taken)s WHERE seq > %(last)s", taken=log.row(1, 5), last=log.row(3, 5))
    return [(EVENT, 1, log.row(1, 5), "another one was added under its number")]


def swap_two_rows(log: Log) -> Any:
    one, other = log.row(1), log.row(3)
    for old, new in ((one, -1), (other, one), (-1, other)):
        log.do("UPDATE core_accessevent SET seq = %(new)s WHERE seq = %(old)s", old=old, new=new)
    return [(EVENT, 1, one, "it was changed"), (EVENT, 3, other, "it was changed")]


def move_a_row_to_another_clinic(log: Log) -> Any:
    log.do("UPDATE core_accessevent SET clinic_id = gen_random_uuid() WHERE seq = %(seq)s", seq=log.row(2))
    return [(EVENT, 2, log.row(2), "it is missing")]


def move_a_block_to_an_older_month(log: Log) -> Any:
    """As if its rows had been dropped in due time."""
    log.do(
        "UPDATE core_seal SET month = '2001-01-01' WHERE clinic_id = %(clinic)s AND table_name = 'core_accessevent' AND number = 2"
    )
    log.do("DELETE FROM core_accessevent WHERE seq BETWEEN %(first)s AND %(last)s", first=log.row(2), last=log.row(2, 2))
    return [(EVENT, 2, None, "it was changed")]


def drop_a_month_before_its_time(log: Log) -> Any:
    log.do("SELECT hms_drop_access_month('2041-05-01')")
    words = "all its {} rows of 2041-05 are missing before their time"
    return [(table, number, None, words.format(rows)) for table in (EVENT, ACCESSED) for number, rows in ((1, 5), (2, 2))]


def cut_off_the_end(log: Log) -> Any:
    last = log.row(3)
    log.do("DELETE FROM core_accessevent WHERE clinic_id = %(clinic)s AND seq >= %(last)s", last=last)
    log.do("DELETE FROM core_seal WHERE clinic_id = %(clinic)s AND table_name = 'core_accessevent' AND number = 3")
    at = read_anchors(log.folder)[log.clinic_id, EVENT][3].at
    return [(EVENT, 3, None, f"it is missing; it was anchored {at}")]


TAMPERING: list[Callable[[Log], Any]] = [
    delete_a_row, delete_whom_it_showed, insert_a_row_in_between, insert_a_row_under_a_number_that_is_taken, swap_two_rows,
    move_a_row_to_another_clinic, move_a_block_to_an_older_month, drop_a_month_before_its_time, cut_off_the_end,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERING, ids=lambda one: one.__name__)
def test_tampering_is_found_and_named(log: Log, tamper: Callable[[Log], Any]) -> None:
    assert log.found() == []
    expected = tamper(log)
    assert sorted(log.found(), key=str) == sorted(expected, key=str)


def test_what_is_old_enough_goes_and_the_rest_stays_whole(log: Log, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HMS_ACCESS_LOG_YEARS = 2
    for statement, words, _ in list(due_partitions(log.connection, JUNE.date() + timedelta(days=2 * 365))):
        if "2041" in words:
            log.connection.execute(statement)
    assert log.one("SELECT count(*) FROM core_accessevent WHERE clinic_id = %(clinic)s") == 5
    verified = Verified()
    monkeypatch.setattr("core.audit.partitions.datetime", _Later)
    assert log.found(verified) == []
    assert verified.dropped == 14
    log.do("DELETE FROM core_accessevent WHERE seq = %(seq)s", seq=log.row(3, 2))
    assert log.found() == [(EVENT, 3, log.row(3, 2), "it is missing")]


class _Later(datetime):
    """The clock two years after June."""

    @classmethod
    def now(cls, tz: Any = None) -> "_Later":
        return cls(2043, 6, 2, tzinfo=tz)


def test_what_came_before_its_month_was_made_keeps_its_number(log: Log) -> None:
    at = datetime(2041, 8, 1, tzinfo=UTC)
    log.look(at, 2)
    seal(log.connection)
    log.do("SELECT hms_make_access_month('2041-08-01')")
    assert log.one("SELECT count(*) FROM core_accessevent_204108") == 2
    assert log.found() == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO core_accessevent (seq, clinic_id, at, event_id, route, method, status, address, request_id, why, reading) "
        "VALUES (1, gen_random_uuid(), now(), gen_random_uuid(), '', '', 200, '', '', '', 'view')",
        "INSERT INTO core_accessedpatient VALUES (gen_random_uuid(), gen_random_uuid(), now(), gen_random_uuid(), 1)",
        "SELECT setval('core_accessevent_seq_seq', 1)",
        "UPDATE core_accessevent SET seq = 1",
        "INSERT INTO core_seal (id) VALUES (gen_random_uuid())",
    ],
)
def test_the_application_gives_out_no_number(statement: str, in_riverside: Place) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_who_writes_is_waited_for(world: World) -> None:
    """A lower number may still come."""
    with connected("hms_app") as writer, connected("hms_platform") as sealer:
        writer.execute("SELECT set_config('hms.clinic_id', %s, true)", [str(world.riverside.clinic.pk)])
        given = {"clinic": world.riverside.clinic.pk, "at": datetime.now(UTC), "event": new_id()}
        writer.execute(ADD, given)
        assert seal(sealer, patience=0).waiting == [EVENT]
        writer.rollback()
        assert seal(sealer, patience=0).waiting == []


def test_maintain_seals_and_writes_the_days_anchor_once(seals_apart: Path) -> None:
    call_command("maintain", "--dry-run")
    assert list(seals_apart.iterdir()) == []
    call_command("maintain")
    (file,) = seals_apart.iterdir()
    assert file.name == f"{datetime.now(UTC):%Y-%m-%d}.jsonl"
    written = file.read_text()
    call_command("maintain")
    assert file.read_text() == written and len(list(seals_apart.iterdir())) == 1
    call_command("verify_audit")
