"""How long somebody will probably wait, and how right such estimates were."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Any
from uuid import UUID

from django.db import connection

from appointments.choices import CALLS_LATELY, Priority, TicketStatus
from appointments.models import Ticket
from core.accounts.actor import Actor
from core.tenancy.context import current_clinic_id

DAYS = 28  # whose durations count
ENOUGH = 20  # of them; with fewer the usual length stands in
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(hours=4)  # a duration outside of these is a forgotten button
LONGEST_WAIT = 600  # minutes that are told
DURATIONS = """
SELECT series_id, count(*),
       percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - serving_at) / 60)
FROM appointments_ticket
WHERE clinic_id = %s AND location_id = %s AND day >= %s AND day <= %s AND status = 'finished'
  AND ended_at - serving_at BETWEEN %s AND %s
GROUP BY series_id
"""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long visits of a group take, in minutes: one in ten is shorter than `least`, one in ten longer than `most`."""

    least: float
    usual: float
    most: float


USUAL = Durations(5, 12, 25)  # while too little has happened


@dataclass(frozen=True, slots=True)
class Estimate:
    """Minutes from now until the call; four in five calls should come between `least` and `most`."""

    minutes: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a ticket the estimate looks at."""

    id: UUID
    series_id: UUID
    provider_id: UUID | None
    status: str
    room_id: UUID | None
    last_called_at: datetime | None

    @classmethod
    def of(cls, ticket: Ticket) -> "Waiting":
        return cls(
            ticket.id, ticket.series_id, ticket.provider_id, ticket.status, ticket.room_id, ticket.last_called_at
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """How right estimates were, over tickets that were called. Minutes; None where there is no ticket.

    `inside` is the share of waits within the interval that was told (it should be about 0.8). `bias` above 0: people waited
    longer than they were told.
    """

    count: int
    inside: float | None
    mean_error: float | None
    bias: float | None


def durations_at(location_id: UUID, day: date) -> dict[UUID, Durations]:
    """By group, from the last four weeks before `day`; groups with too few visits are missing. One query."""
    values: list[Any] = [current_clinic_id(), location_id, day - timedelta(days=DAYS), day - timedelta(days=1), SHORTEST, LONGEST]
    with connection.cursor() as cursor:
        cursor.execute(DURATIONS, values)
        found = cursor.fetchall()
    return {series_id: Durations(*quantiles) for series_id, count, quantiles in found if count >= ENOUGH}


def estimates(
    in_order: Iterable[Waiting], others: Iterable[Waiting], durations: dict[UUID, Durations], now: datetime
) -> dict[UUID, Estimate]:
    """For each who waits, by ticket. `in_order`: they, in the order of calling; `others`: today's tickets that don't wait.

    Whoever waits for one provider is called after those before them who wait for the same one. Everybody else waits for whoever
    calls their group next: the more providers or rooms have called it within the last hour, the shorter. While all of
    these are busy, half a visit more has to pass.
    """
    lines = _Lines(list(others), now)
    return {one.id: lines.next(one, durations.get(one.series_id, USUAL)) for one in in_order}


class _Lines:
    """The lines that people stand in: one for each provider somebody waits for, one for each group."""

    def __init__(self, others: list[Waiting], now: datetime) -> None:
        self.ahead: dict[UUID, int] = {}
        self.counters: dict[UUID, set[UUID]] = {}
        self.busy: dict[UUID, set[UUID]] = {}
        for one in others:
            counter = one.provider_id or one.room_id
            if counter is None or one.last_called_at is None or one.last_called_at < now - CALLS_LATELY:
                continue
            inside = one.status in (TicketStatus.CALLED, TicketStatus.SERVING)
            for line in {one.series_id, one.provider_id or one.series_id}:
                self.counters.setdefault(line, set()).add(counter)
                if inside:
                    self.busy.setdefault(line, set()).add(counter)

    def next(self, one: Waiting, durations: Durations) -> Estimate:
        line = one.provider_id or one.series_id
        ahead = self.ahead.get(line, 0)
        self.ahead[line] = ahead + 1
        counters = max(1, len(self.counters.get(line, ())))
        all_busy = len(self.busy.get(line, ())) >= counters
        return estimate(ahead / counters + (0.5 if all_busy else 0), durations)


def estimate(turns: float, durations: Durations) -> Estimate:
    """The wait until so many visits of a group are over, one after the other. Their spread grows with the root of their number."""
    middle, spread = turns * durations.usual, sqrt(turns)
    least = max(0.0, middle - spread * (durations.usual - durations.least))
    most = middle + max(spread * (durations.most - durations.usual), 3.0)
    return Estimate(*(min(LONGEST_WAIT, round(minutes)) for minutes in (middle, least, most)))


SCORE = """
SELECT count(*), avg((waited BETWEEN expected_least AND expected_most)::int), avg(abs(waited - expected_minutes)),
       avg(waited - expected_minutes)
FROM (
    SELECT expected_minutes, expected_least, expected_most, extract(epoch FROM called_at - taken_at) / 60 AS waited
    FROM appointments_ticket
    WHERE clinic_id = %s AND location_id = %s AND day BETWEEN %s AND %s AND called_at IS NOT NULL AND expected_minutes IS NOT NULL
      AND priority <> %s
) told
"""


def estimate_score(*, actor: Actor, location_id: UUID, first_day: date, last_day: date) -> Score:
    """How the estimates of these days, both included, stand against what happened; emergencies left out. One query."""
    actor.require("queue", "view")
    with connection.cursor() as cursor:
        cursor.execute(SCORE, [current_clinic_id(), location_id, first_day, last_day, Priority.EMERGENCY])
        count, *figures = cursor.fetchone()
    return Score(count, *(None if one is None else float(one) for one in figures))
