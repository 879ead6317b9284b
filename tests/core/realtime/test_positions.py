"""What the database does as it commits: positions in the order of commits, one notice, and events that nobody announced."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import transaction

from appointments.models import Appointment
from appointments.services import change_notes, reschedule_appointment
from core.accounts.actor import system_actor
from core.events.announcing import announce
from core.events.models import DomainEvent
from core.events.numbering import CHANNEL, MANY
from core.tenancy.context import clinic_scope
from patients import events as of_patients
from tests.architecture.catalogue import connected, enter
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place

WRITTEN = """
INSERT INTO core_domainevent (id, clinic_id, name, schema, about, about_id, data, at)
VALUES (gen_random_uuid(), %s, 'patient.changed', 1, 'patient', %s, '{}', now())
"""
AFTER = "SELECT position, about_id FROM core_domainevent WHERE clinic_id = %s AND position > %s ORDER BY position"

days = count(6)


def write(connection: psycopg.Connection[Any], clinic_id: UUID) -> UUID:
    """An event about something new, in the connection's transaction."""
    about = uuid4()
    enter(connection, clinic_id)
    connection.execute(WRITTEN, [clinic_id, about])
    return about


def newest(connection: psycopg.Connection[Any]) -> int:
    (position,) = connection.execute("SELECT coalesce(max(position), 0) FROM core_domainevent").fetchone() or (0,)
    connection.commit()
    return int(position)


@pytest.fixture
def seen_from(world: object) -> Iterator[psycopg.Connection[Any]]:
    """A connection that sees every clinic."""
    with connected("hms_maintenance") as connection:
        yield connection


def committed_visit(place: Place) -> Appointment:
    """On a day of its own, since what these tests commit stays until the file ends."""
    day = next(days)

    def booked() -> Appointment:
        with clinic_scope(place.clinic, reason="test"):
            return book(place, at(place, day, 10))

    (visit,) = apart(booked)
    assert isinstance(visit, Appointment)
    return visit


def told_since(connection: psycopg.Connection[Any], position: int) -> list[tuple[str, dict[str, Any]]]:
    found = connection.execute(
        "SELECT name, data FROM core_domainevent WHERE position > %s ORDER BY position", [position]
    ).fetchall()
    connection.commit()
    return found


# --- Numbers ------------------------------------------------------------------------------------------------------------------
def test_numbers_follow_the_commits_not_the_statements(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    since = newest(seen_from)
    with connected("hms_app") as slow, connected("hms_app") as quick:
        first, second = write(slow, riverside.clinic.pk), write(quick, riverside.clinic.pk)
        quick.commit()
        slow.commit()
    found = [about for _, about in seen_from.execute(AFTER, [riverside.clinic.pk, since]).fetchall()]
    assert found == [second, first]


def test_a_transaction_s_events_keep_their_order_and_give_one_notice(
    riverside: Place, hillcrest: Place, seen_from: psycopg.Connection[Any]
) -> None:
    since = newest(seen_from)
    with connected("hms_app") as listens, connected("hms_app") as writes:
        listens.execute(f"LISTEN {CHANNEL}")
        listens.commit()
        told = [write(writes, riverside.clinic.pk) for _ in range(3)]
        other = write(writes, hillcrest.clinic.pk)
        told.append(write(writes, riverside.clinic.pk))
        writes.commit()
        notices = {one.payload for one in listens.notifies(timeout=5, stop_after=2)} | {
            one.payload for one in listens.notifies(timeout=0.2)
        }
    found = seen_from.execute(AFTER, [riverside.clinic.pk, since]).fetchall()
    assert [about for _, about in found] == told
    (theirs,) = seen_from.execute(AFTER, [hillcrest.clinic.pk, since]).fetchall()
    assert theirs[1] == other
    assert notices == {f"{riverside.clinic.pk} {found[-1][0]}", f"{hillcrest.clinic.pk} {theirs[0]}"}
    assert seen_from.execute("SELECT count(*) FROM core_eventturn").fetchone() == (0,)


def test_what_is_rolled_back_has_no_number_and_no_notice(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    since = newest(seen_from)
    with connected("hms_app") as listens, connected("hms_app") as writes:
        listens.execute(f"LISTEN {CHANNEL}")
        listens.commit()
        write(writes, riverside.clinic.pk)
        writes.rollback()
        kept = write(writes, riverside.clinic.pk)
        writes.execute("SAVEPOINT s")
        write(writes, riverside.clinic.pk)
        writes.execute("ROLLBACK TO SAVEPOINT s")
        writes.commit()
        notices = list(listens.notifies(timeout=1, stop_after=2))
    ((position, about),) = seen_from.execute(AFTER, [riverside.clinic.pk, since]).fetchall()
    assert about == kept and [one.payload for one in notices] == [f"{riverside.clinic.pk} {position}"]


def test_a_reader_of_positions_misses_nothing_whoever_commits_when(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    """Eight writers that hold their transactions open for different times; a reader that only ever looks after its last one."""
    since, over = newest(seen_from), threading.Event()
    committed: list[UUID] = []
    read: list[UUID] = []

    def writer(seed: int) -> None:
        chance = random.Random(seed)
        with connected("hms_app") as connection:
            for _ in range(40):
                abouts = [write(connection, riverside.clinic.pk) for _ in range(chance.choice((1, 1, 3)))]
                connection.execute("SELECT pg_sleep(%s)", [chance.choice((0, 0.001, 0.01))])
                if chance.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()
                    committed.extend(abouts)

    def reader() -> None:
        last = since
        with connected("hms_maintenance") as connection:
            ended = False
            while not ended:
                ended = over.is_set()
                for position, about in connection.execute(AFTER, [riverside.clinic.pk, last]).fetchall():
                    read.append(about)
                    last = position
                connection.commit()

    reading = threading.Thread(target=reader)
    reading.start()
    try:
        apart(*[lambda seed=seed: writer(seed) for seed in range(8)])
    finally:
        over.set()
        reading.join(60)
    assert len(read) == len(set(read)) and set(read) == set(committed)


def test_numbering_waits_for_nobody_s_row(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    """Checks of references run before the lock is taken: one that waits for another writer's row does not hold that writer up."""
    visit = committed_visit(riverside)
    copy = (
        "INSERT INTO appointments_appointmentchange "
        "SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM appointments_appointmentchange c WHERE clinic_id = %s AND appointment_id = %s LIMIT 1"
    )
    with connected("hms_app") as refers, connected("hms_app") as locks:
        write(refers, riverside.clinic.pk)
        refers.execute(copy, [riverside.clinic.pk, visit.pk])
        write(locks, riverside.clinic.pk)
        locks.execute("SELECT FROM appointments_appointment WHERE clinic_id = %s AND id = %s FOR UPDATE",
                      [riverside.clinic.pk, visit.pk])  # fmt: skip
        pid, done = refers.info.backend_pid, list[str]()

        def commit() -> None:
            refers.commit()
            done.append("committed")

        committing = threading.Thread(target=commit)
        committing.start()
        waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        with connected("postgres") as looks:
            looks.autocommit = True
            eventually(lambda: looks.execute(waits, [pid]).fetchone() == ("Lock",))
        locks.commit()  # a deadlock would end it, or the other one
        committing.join(20)
        assert done == ["committed"]


# --- What nobody announced ----------------------------------------------------------------------
def test_raw_sql_becomes_an_event(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    visit = committed_visit(riverside)
    since = newest(seen_from)
    for role in ("hms_app", "hms_maintenance", "postgres"):
        with connected(role) as psql:
            enter(psql, riverside.clinic.pk if role == "hms_app" else None)
            psql.execute("UPDATE appointments_appointment SET notes = %s WHERE id = %s", [role, visit.pk])
            psql.execute("UPDATE appointments_appointment SET notes = notes || '!' WHERE id = %s", [visit.pk])
            psql.commit()
    found = told_since(seen_from, since)
    assert found == [("appointment.changed", {
        "appointment": str(visit.pk), "patient": str(visit.patient_id), "service": str(visit.service_id),
        "provider": str(visit.provider_id), "location": str(visit.location_id), "status": "confirmed", "source": "staff",
        "from_location": None,
    })] * 3  # fmt: skip


def test_an_event_of_the_trigger_has_the_fields_of_the_catalogue(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    from core.events.catalogue import catalogue

    visit, since = committed_visit(riverside), newest(seen_from)
    with connected("hms_maintenance") as psql:
        psql.execute("UPDATE appointments_appointment SET notes = 'x', location_id = %s WHERE id = %s",
                     [riverside.locations[1].pk, visit.pk])  # fmt: skip
        psql.commit()
    ((name, data),) = told_since(seen_from, since)
    declared = catalogue()[name]
    assert data.keys() == declared.fields.keys()
    assert data["from_location"] == str(visit.location_id) and data["location"] == str(riverside.locations[1].pk)


def test_what_a_service_announced_is_not_told_twice(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    since = newest(seen_from)
    visit, actor = committed_visit(riverside), system_actor(riverside.clinic.pk)

    def works() -> None:
        with clinic_scope(riverside.clinic, reason="test"):
            reschedule_appointment(actor=actor, appointment_id=visit.pk, start=visit.start + timedelta(hours=2))
            change_notes(actor=actor, appointment_id=visit.pk, notes="by phone")

    apart(works)
    assert [name for name, _ in told_since(seen_from, since)] == ["appointment.booked", "appointment.moved", "appointment.changed"]


def test_nothing_is_told_of_a_change_that_is_none_or_was_taken_back(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    visit = committed_visit(riverside)
    since = newest(seen_from)
    with connected("hms_maintenance") as psql:
        psql.execute("UPDATE appointments_appointment SET notes = notes WHERE id = %s", [visit.pk])
        psql.commit()
        psql.execute("UPDATE appointments_appointment SET notes = 'never' WHERE id = %s", [visit.pk])
        psql.rollback()
    assert told_since(seen_from, since) == []


def test_of_very_many_rows_one_event_tells_the_rest(riverside: Place, seen_from: psycopg.Connection[Any]) -> None:
    visit = committed_visit(riverside)
    copy = (
        "INSERT INTO appointments_appointment SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM appointments_appointment a, generate_series(1, %s) WHERE a.id = %s"
    )
    since = newest(seen_from)
    with connected("hms_maintenance") as psql:
        psql.execute(copy, [MANY + 50, visit.pk])
        psql.commit()
    found = told_since(seen_from, since)
    assert len(found) == MANY + 1
    assert {one for _, data in found[:MANY] for one in [data["appointment"]] if one} and not any(found[-1][1].values())


def test_the_context_of_the_transaction_stays_as_it_was(in_riverside: Place, hillcrest: Place) -> None:
    """The triggers look into the event's clinic, and leave the scope of whoever writes alone."""
    with transaction.atomic():
        patient = make_patient()
        announce(of_patients.CHANGED, patient.pk, patient=patient.pk)
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SELECT current_setting('hms.clinic_id', true)")
            assert cursor.fetchone() == (str(in_riverside.clinic.pk),)
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    told = DomainEvent.objects.get(about_id=patient.pk)
    assert told.position is not None


def test_the_application_can_neither_see_nor_fill_the_turns(in_riverside: Place) -> None:
    for statement in ("SELECT * FROM core_eventturn", "INSERT INTO core_eventturn VALUES (1, gen_random_uuid())"):
        with connected("hms_app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
