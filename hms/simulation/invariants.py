"""What has to be true once a day is over: each named, each asked of the database or of what people were told."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from appointments.choices import FREED
from hms.simulation.integrator import Heard
from hms.simulation.record import Record

MOST_TOLD = 5  # findings of one invariant that are listed


@dataclass
class Evidence:
    """`connection` sees every clinic. `since`: when the day began. `heard` and `copies` by clinic: what its stream told, and id ->
    version by noun of what another system keeps."""

    connection: psycopg.Connection[Any]
    clinics: list[UUID]
    since: datetime
    record: Record
    heard: dict[UUID, Heard]
    copies: dict[UUID, dict[str, dict[UUID, int]]]

    def rows(self, statement: str, *more: Any) -> list[Any]:
        """The statement's first parameter is the clinics."""
        return self.connection.execute(statement, [self.clinics, *more]).fetchall()


@dataclass(frozen=True, slots=True)
class Invariant:
    """`find` yields a line for each thing that contradicts the sentence: ids and states, never who it is."""

    name: str
    sentence: str
    find: Callable[[Evidence], Iterator[str]]


INVARIANTS: dict[str, Invariant] = {}


def invariant(sentence: str) -> Callable[[Callable[[Evidence], Iterator[str]]], Callable[[Evidence], Iterator[str]]]:
    def add(find: Callable[[Evidence], Iterator[str]]) -> Callable[[Evidence], Iterator[str]]:
        INVARIANTS[find.__name__] = Invariant(find.__name__, sentence, find)
        return find

    return add


def broken(evidence: Evidence) -> dict[str, list[str]]:
    """What is not true, by invariant; of each every finding."""
    found = {name: list(one.find(evidence)) for name, one in INVARIANTS.items()}
    return {name: findings for name, findings in found.items() if findings}


# --- Of the database --------------------------------------------------------------------------------------------------------
BOOKED_TWICE = """
SELECT '{column}', a.id, b.id FROM appointments_appointment a JOIN appointments_appointment b
    ON b.clinic_id = a.clinic_id AND b.{column} = a.{column} AND b.id > a.id
    AND b.local_day BETWEEN a.local_day - 1 AND a.local_day + 1 AND b.start < a."end" AND a.start < b."end"
WHERE a.clinic_id = ANY(%s) AND a.status <> ALL(%s) AND b.status <> ALL(%s)
"""
CLAIMED = """
SELECT a.id, a.status, count(DISTINCT c.resource_kind) FILTER (
        WHERE c.starts_at <= a.start AND c.ends_at >= a."end" AND c.resource_id IN (a.provider_id, a.patient_id)), count(c.id)
FROM appointments_appointment a LEFT JOIN appointments_claim c ON c.clinic_id = a.clinic_id AND c.appointment_id = a.id
WHERE a.clinic_id = ANY(%s) GROUP BY a.id, a.status
"""
VISIT_STEPS = """
SELECT a.id, a.status, c.from_status, c.to_status
FROM appointments_appointment a
LEFT JOIN appointments_appointmentchange c ON c.clinic_id = a.clinic_id AND c.appointment_id = a.id
WHERE a.clinic_id = ANY(%s) AND a.updated_at >= %s ORDER BY a.id, c.at, c.id
"""
TICKET_STEPS = """
SELECT t.id, t.status, c.from_status, c.to_status, c.action
FROM appointments_ticket t LEFT JOIN appointments_ticketchange c ON c.clinic_id = t.clinic_id AND c.ticket_id = t.id
WHERE t.clinic_id = ANY(%s) AND t.updated_at >= %s ORDER BY t.id, c.at, c.id
"""
NUMBERS = """
SELECT location_id, letter, day, count(*), count(DISTINCT number), max(number) FROM appointments_ticket
WHERE clinic_id = ANY(%s) GROUP BY 1, 2, 3 HAVING max(created_at) >= %s
"""
TICKET_OF_VISIT = """
SELECT t.id, t.status, a.status FROM appointments_ticket t
JOIN appointments_appointment a ON a.clinic_id = t.clinic_id AND a.id = t.appointment_id
WHERE t.clinic_id = ANY(%s) AND t.updated_at >= %s
    AND ((t.status = 'serving' AND a.status <> 'in_progress') OR (t.status = 'finished' AND a.status <> 'completed'))
"""


@invariant("No provider, room or patient is in two visits at the same time")
def nobody_is_booked_twice(evidence: Evidence) -> Iterator[str]:
    for column in ("provider_id", "room_id", "patient_id"):
        for what, one, other in evidence.rows(BOOKED_TWICE.format(column=column), list(FREED), list(FREED)):
            yield f"{what}: visits {one} and {other}"


@invariant("A visit that takes its time holds its claims, one that is off holds none")
def claims_are_those_of_visits(evidence: Evidence) -> Iterator[str]:
    for key, status, whole, held in evidence.rows(CLAIMED):
        if (status in FREED and held) or (status not in FREED and whole < 2):
            yield f"visit {key} is {status} and holds {held} claims, {whole} of them for its time"


@invariant("Every visit's history explains its status")
def histories_explain_visits(evidence: Evidence) -> Iterator[str]:
    yield from _unexplained("visit", evidence.rows(VISIT_STEPS, evidence.since))


@invariant("Every ticket's steps explain its status")
def steps_explain_tickets(evidence: Evidence) -> Iterator[str]:
    yield from _unexplained("ticket", [row[:4] for row in evidence.rows(TICKET_STEPS, evidence.since)])


@invariant("No ticket is called twice without a recall")
def nobody_is_called_twice(evidence: Evidence) -> Iterator[str]:
    called: dict[UUID, bool] = {}
    for key, _status, _before, _after, action in evidence.rows(TICKET_STEPS, evidence.since):
        if action == "call" and called.get(key):
            yield f"ticket {key} was called twice"
        if action in ("call", "put_back", "transfer"):
            called[key] = action == "call"


@invariant("Tickets of a letter are counted from 1 without gaps, at each location each day")
def tickets_have_no_gaps(evidence: Evidence) -> Iterator[str]:
    for location, letter, day, rows, numbers, most in evidence.rows(NUMBERS, evidence.since):
        if not rows == numbers == most:
            yield f"{letter} at {location} on {day}: {rows} tickets, {numbers} numbers, the highest {most}"


@invariant("A ticket is where its visit is")
def tickets_follow_visits(evidence: Evidence) -> Iterator[str]:
    for key, status, visit in evidence.rows(TICKET_OF_VISIT, evidence.since):
        yield f"ticket {key} is {status}, its visit {visit}"


def _unexplained(noun: str, rows: list[Any]) -> Iterator[str]:
    """Rows of (id, status, from, to) in the order of the steps: each begins where the last one ended, and the last one is now."""
    steps: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    present: dict[UUID, str] = {}
    for key, status, before, after in rows:
        present[key] = status
        if after is not None:
            steps[key].append((before, after))
    for key, status in present.items():
        at = ""
        for before, after in steps[key]:
            if before and before != at:
                yield f"{noun} {key}: a step from {before} while it was {at or 'nothing'}"
            at = after
        if at != status:
            yield f"{noun} {key} is {status}, its history ends with {at or 'nothing'}"


# --- Of what people were told -----------------------------------------------------------------------------------------------
PRESENT = {
    "patient": "SELECT id, version, given_name, family_name FROM patients_patient WHERE clinic_id = ANY(%s) AND id = ANY(%s)",
    "appointment": "SELECT id, version, status, start FROM appointments_appointment WHERE clinic_id = ANY(%s) AND id = ANY(%s)",
    "ticket": "SELECT id, version, status, calls FROM appointments_ticket WHERE clinic_id = ANY(%s) AND id = ANY(%s)",
}
OWNERS = {
    "patient": "SELECT id, clinic_id FROM patients_patient WHERE id = ANY(%s)",
    "appointment": "SELECT id, clinic_id FROM appointments_appointment WHERE id = ANY(%s)",
    "ticket": "SELECT id, clinic_id FROM appointments_ticket WHERE id = ANY(%s)",
}
CHANGED = {
    "patient": "SELECT id, version FROM patients_patient WHERE clinic_id = ANY(%s) AND updated_at >= %s",
    "appointment": "SELECT id, version FROM appointments_appointment WHERE clinic_id = ANY(%s) AND updated_at >= %s",
}
OUTBOX = """
SELECT position, name, data FROM core_domainevent WHERE clinic_id = ANY(%s) AND position > %s AND name ~ %s ORDER BY position
"""
STREAMED = r"^(patient|appointment|ticket)\."


@invariant("What was answered with success is there")
def nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    for noun, statement in PRESENT.items():
        promises = [one for one in evidence.record.promises.values() if one.noun == noun]
        found = {row[0]: row[1:] for row in evidence.rows(statement, [one.id for one in promises])}
        for one in promises:
            version, *values = found.get(one.id, (0,))
            said = [_as_stored(value) for value in one.fields.values()]
            if version < one.version:
                yield f"{noun} {one.id}: version {one.version} was answered, {version or 'nothing'} is there"
            elif version == one.version and values != said:
                yield f"{noun} {one.id}: version {version} is not as it was answered"


@invariant("Nobody was shown another clinic's patients, visits or tickets")
def clinics_are_apart(evidence: Evidence) -> Iterator[str]:
    yield from evidence.record.let_in
    for noun, statement in OWNERS.items():
        asked = {key: clinic for clinic, shown in evidence.record.shown.items() for key in shown[noun]}
        owners = dict(evidence.connection.execute(statement, [list(asked)]).fetchall())
        for clinic, shown in evidence.record.shown.items():
            for key in shown[noun]:
                if owners.get(key, clinic) != clinic:
                    yield f"{noun} {key} was shown at {clinic}"


@invariant("Streams have told what stands in the outbox of their clinic, once, and nothing else")
def streams_tell_the_outbox(evidence: Evidence) -> Iterator[str]:
    for clinic, heard in evidence.heard.items():
        rows = evidence.connection.execute(OUTBOX, [[clinic], heard.since, STREAMED]).fetchall()
        written = {position: (name, data) for position, name, data in rows}
        yield from (f"{clinic}: event {position} was told twice" for position in heard.twice)
        for position in sorted(written.keys() - heard.events.keys()):
            if not any(since < position <= until for since, until in heard.gaps):
                yield f"{clinic}: event {position} was not told"
        for position, told in sorted(heard.events.items()):
            if written.get(position) != told:
                yield f"{clinic}: event {position} is not the outbox's"


@invariant("Another system's copy, read by what has changed, is as the clinic's records are")
def copies_are_current(evidence: Evidence) -> Iterator[str]:
    for clinic, copies in evidence.copies.items():
        for noun, statement in CHANGED.items():
            for key, version in evidence.connection.execute(statement, [[clinic], evidence.since]).fetchall():
                if copies[noun].get(key) != version:
                    yield f"{noun} {key}: version {version} is there, the copy has {copies[noun].get(key, 'none')}"


@invariant("No request was answered with an error of the server")
def nothing_fails(evidence: Evidence) -> Iterator[str]:
    for one in evidence.record.answers:
        if one.status >= 500 and not one.again:
            yield f"{one.kind}: {one.status} {one.code}"


@invariant("Every request was decided in the end")
def everything_is_decided(evidence: Evidence) -> Iterator[str]:
    yield from evidence.record.given_up


def _as_stored(value: Any) -> Any:
    """A moment of the API as the database has it."""
    if isinstance(value, str) and len(value) > 10 and value[4] == "-" and "T" in value:
        return datetime.fromisoformat(value)
    return value
