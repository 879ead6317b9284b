"""A short day of two clinics, and each invariant when it is broken."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from hms.simulation.invariants import INVARIANTS, Evidence, broken
from hms.simulation.playing import Outcome
from hms.simulation.record import Answer
from hms.simulation.report import as_text
from hms.simulation.script import What

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("simulation"), pytest.mark.thorough]

OF_DAY = "clinic_id = ANY(%(clinics)s) AND updated_at >= %(since)s"
OF_TICKET = "t.clinic_id = ANY(%(clinics)s) AND t.updated_at >= %(since)s"
# What breaks each invariant of the database. The statements run in a transaction that is taken back.
BY_SQL: dict[str, str] = {
    "nobody_is_booked_twice": """
        UPDATE appointments_appointment a
        SET provider_id = b.provider_id, start = b.start, "end" = b."end", local_day = b.local_day
        FROM (SELECT * FROM appointments_appointment
            WHERE clinic_id = ANY(%(clinics)s) AND status = 'confirmed' ORDER BY id LIMIT 1) b
        WHERE a.id = (SELECT id FROM appointments_appointment
            WHERE clinic_id = b.clinic_id AND status = 'confirmed' AND id > b.id ORDER BY id LIMIT 1)""",
    "claims_are_those_of_visits": """
        DELETE FROM appointments_claim WHERE id = (SELECT id FROM appointments_claim WHERE clinic_id = ANY(%(clinics)s)
            AND resource_kind = 'patient' AND appointment_id IS NOT NULL LIMIT 1)""",
    "histories_explain_visits": f"""
        UPDATE appointments_appointment SET status = CASE status WHEN 'completed' THEN 'in_progress' ELSE 'completed' END
        WHERE id = (SELECT id FROM appointments_appointment WHERE {OF_DAY} LIMIT 1)""",
    "steps_explain_tickets": f"""
        UPDATE appointments_ticketchange SET from_status = 'skipped' WHERE id = (
            SELECT c.id FROM appointments_ticketchange c JOIN appointments_ticket t ON t.id = c.ticket_id
            WHERE {OF_TICKET} AND c.from_status = 'waiting' LIMIT 1)""",
    "nobody_is_called_twice": f"""
        INSERT INTO appointments_ticketchange (id, clinic_id, ticket_id, at, action, actor_name, from_status, to_status)
        SELECT gen_random_uuid(), c.clinic_id, c.ticket_id, c.at, 'call', 'Test', 'called', 'called'
        FROM appointments_ticketchange c JOIN appointments_ticket t ON t.id = c.ticket_id
        WHERE {OF_TICKET} AND c.action = 'call' LIMIT 1""",
    "tickets_have_no_gaps": f"""
        UPDATE appointments_ticket SET number = 900 WHERE id = (
            SELECT id FROM appointments_ticket WHERE {OF_DAY} AND created_at >= %(since)s LIMIT 1)""",
    "tickets_follow_visits": f"""
        UPDATE appointments_ticket SET status = 'serving' WHERE id = (
            SELECT id FROM appointments_ticket WHERE {OF_DAY} AND appointment_id IS NOT NULL AND status = 'finished' LIMIT 1)""",
    "nothing_is_lost": "UPDATE appointments_appointment SET version = version - 1 WHERE id = ANY(%(promised)s)",
    "clinics_are_apart": """
        UPDATE patients_patient SET clinic_id = CASE clinic_id WHEN (%(clinics)s::uuid[])[1] THEN (%(clinics)s::uuid[])[2]
            ELSE (%(clinics)s::uuid[])[1] END WHERE id = %(shown)s""",
    "streams_tell_the_outbox": """
        DELETE FROM core_domainevent WHERE id = (SELECT id FROM core_domainevent
            WHERE clinic_id = ANY(%(clinics)s) AND at >= %(since)s AND name = 'ticket.created' AND position IS NOT NULL
            ORDER BY position DESC LIMIT 1)""",
    "copies_are_current": f"""
        UPDATE appointments_appointment SET version = version + 1 WHERE id = (
            SELECT id FROM appointments_appointment WHERE {OF_DAY} LIMIT 1)""",
}  # fmt: skip


def _untold(evidence: Evidence) -> Evidence:
    """The stream has not told its last event."""
    clinic, heard = next((clinic, one) for clinic, one in evidence.heard.items() if one.events)
    events = dict(sorted(heard.events.items())[:-1])
    return replace(evidence, heard=evidence.heard | {clinic: replace(heard, events=events)})


def _told_of_another(evidence: Evidence) -> Evidence:
    """One clinic's stream told what the other's did."""
    one, other = evidence.heard
    events = evidence.heard[one].events | dict(list(evidence.heard[other].events.items())[:1])
    return replace(evidence, heard=evidence.heard | {one: replace(evidence.heard[one], events=events)})


def _told_twice(evidence: Evidence) -> Evidence:
    clinic, heard = next(iter(evidence.heard.items()))
    return replace(evidence, heard=evidence.heard | {clinic: replace(heard, twice=[next(iter(heard.events))])})


def _let_in(evidence: Evidence) -> Evidence:
    return replace(evidence, record=replace(evidence.record, let_in=["riverside asked for another clinic's patient: 200"]))


def _failed(evidence: Evidence) -> Evidence:
    answers = [*evidence.record.answers, Answer("book", 500, 3.0, "INTERNAL_ERROR")]
    return replace(evidence, record=replace(evidence.record, answers=answers))


def _undecided(evidence: Evidence) -> Evidence:
    return replace(evidence, record=replace(evidence.record, given_up=["book: no answer"]))


def _promised_more(evidence: Evidence) -> Evidence:
    """A patient was answered as registered who is not there."""
    one = next(one for one in evidence.record.promises.values() if one.noun == "patient")
    gone = replace(one, id=uuid4())
    return replace(evidence, record=replace(evidence.record, promises=evidence.record.promises | {gone.id: gone}))


BY_EVIDENCE: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("streams_tell_the_outbox", _untold),
    ("streams_tell_the_outbox", _told_of_another),
    ("streams_tell_the_outbox", _told_twice),
    ("clinics_are_apart", _let_in),
    ("nothing_fails", _failed),
    ("everything_is_decided", _undecided),
    ("nothing_is_lost", _promised_more),
]


def test_everything_is_true_at_the_end_of_a_day(day: Outcome) -> None:
    assert not day.broken, day.broken
    told = day.told
    assert told["true"] and told["clinics"] == ["riverside", "hillcrest"]
    assert told["requests"] > 300 and all(count > 20 for count in told["events_told"].values())
    often = {
        What.INQUIRE,
        What.REGISTER,
        What.BOOK,
        What.MOVE,
        What.CANCEL,
        What.WALK_IN,
        What.ARRIVE,
        What.CALL,
        What.PRY,
        What.READ,
    }
    assert often <= told["acts"].keys()
    assert {"book", "call", "serve", "finish", "notes", "kiosk", "check-in", "register"} <= told["milliseconds"].keys()


def test_whatever_was_refused_is_what_a_clinic_refuses(day: Outcome) -> None:
    answers = day.played.record.answers
    assert {one.status for one in answers} <= {200, 201, 400, 404, 409, 412, 422}, day.told["refusals"]
    assert {one.kind for one in answers if one.status == 400} <= {"book", "move"}, "only a time that is over meanwhile"
    assert {one.kind for one in day.played.record.answers if one.status == 404} == {"pry"}


def test_the_report_names_every_invariant(day: Outcome) -> None:
    text = "\n".join(as_text(day.told))
    assert all(one.sentence in text for one in INVARIANTS.values())
    assert "NOT TRUE" not in text
    assert "NOT TRUE" in "\n".join(as_text(day.told | {"invariants": {"nothing_fails": ["book: 500"]}}))


def test_every_invariant_is_broken_by_some_test() -> None:
    assert BY_SQL.keys() | {name for name, _ in BY_EVIDENCE} == INVARIANTS.keys()


@pytest.fixture
def untouched(day: Outcome) -> Iterator[Evidence]:
    """The evidence of a day in which everything is true; what a test does to the database is taken back."""
    connection = day.evidence.connection
    assert not broken(day.evidence)
    with connection.transaction(force_rollback=True):
        yield day.evidence


@pytest.mark.parametrize("name", BY_SQL)
def test_broken_by_sql(untouched: Evidence, name: str) -> None:
    changed = untouched.connection.execute(BY_SQL[name], _parameters(untouched)).rowcount
    assert changed, "nothing was broken"
    assert name in broken(untouched)


@pytest.mark.parametrize(("name", "change"), BY_EVIDENCE, ids=[f"{name} {change.__name__}" for name, change in BY_EVIDENCE])
def test_broken_by_what_people_were_told(untouched: Evidence, name: str, change: Callable[[Evidence], Evidence]) -> None:
    assert broken(change(untouched)).keys() == {name}


def _parameters(evidence: Evidence) -> dict[str, Any]:
    promised = [one.id for one in evidence.record.promises.values() if one.noun == "appointment"]
    shown: set[UUID] = evidence.record.shown[evidence.clinics[0]]["patient"]
    # Somebody whom only this clinic was shown, and who has no claim on the other one's numbers.
    return {"clinics": evidence.clinics, "since": evidence.since, "promised": promised[:1], "shown": min(shown)}
