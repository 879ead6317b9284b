"""The table of alerts: one open row for each rule, subject and server, and one server that tells of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections

from core.monitoring.judging import Key
from core.monitoring.metrics import Rule
from core.monitoring.standing import Board, Event, News, Standing
from core.tenancy.context import Scope, unit_of_work
from core.tenancy.ids import new_id

NOBODY_SAYS = 600  # seconds after which an alert is over that no server has seen any more: the server or the rule is gone

RULES = """
SELECT name, metric, threshold, seconds, severity, quiet_minutes, comparison, subject, is_active FROM core_alertrule ORDER BY name
"""
# Of two servers that see the same the first one raises it. What was over before it could be written is written as it was.
RAISE = """
INSERT INTO core_alert (id, rule_id, subject, server, severity, value, worst, note, raised_at, seen_at, told_at, resolved_at,
    acknowledgement)
SELECT seen.id, r.id, seen.subject, seen.server, seen.severity, value, worst, note, now() - raised * interval '1 second', now(),
    now() - told * interval '1 second', now() - resolved * interval '1 second', ''
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[], %s::text[], %s::float8[],
    %s::float8[], %s::float8[]) AS seen (id, rule, subject, server, severity, value, worst, note, raised, told, resolved)
JOIN core_alertrule r ON r.name = seen.rule
ON CONFLICT (rule_id, subject, server) WHERE resolved_at IS NULL DO NOTHING
"""
OPEN = """
SELECT a.id, r.name, a.subject, a.server, a.value, a.worst, a.note, extract(epoch FROM now() - a.raised_at)::float8,
    extract(epoch FROM now() - a.told_at)::float8, a.acknowledged_at IS NOT NULL
FROM core_alert a JOIN core_alertrule r ON r.id = a.rule_id WHERE a.resolved_at IS NULL AND a.server IN ('', %s)
"""
SEEN = """
UPDATE core_alert a SET seen_at = now(), value = seen.value, worst = seen.worst, note = seen.note, severity = seen.severity
FROM unnest(%s::uuid[], %s::float8[], %s::float8[], %s::text[], %s::text[]) AS seen (id, value, worst, note, severity)
WHERE a.id = seen.id
"""
RESOLVE = """
UPDATE core_alert SET resolved_at = now() WHERE id = ANY (%s) AND resolved_at IS NULL RETURNING id, told_at IS NOT NULL
"""
FORGOTTEN = """
UPDATE core_alert SET resolved_at = now() WHERE resolved_at IS NULL AND seen_at < now() - %s * interval '1 second'
"""
# Who moves `told_at` on tells. The quiet time counts from whatever was told last of the same.
TELL = """
UPDATE core_alert a SET told_at = now() FROM unnest(%s::uuid[], %s::int[]) AS due (id, quiet)
WHERE a.id = due.id AND a.resolved_at IS NULL AND a.acknowledged_at IS NULL AND NOT EXISTS (
    SELECT FROM core_alert b WHERE b.rule_id = a.rule_id AND b.subject = a.subject AND b.server = a.server
    AND b.told_at > now() - due.quiet * interval '1 minute'
)
RETURNING a.id
"""


def read_rules() -> list[Rule]:
    """All rules, also those that are switched off. One query, in a unit of its own."""
    with unit_of_work(Scope(reason="monitoring")):
        return [Rule(*row) for row in _rows(RULES)]


@dataclass(frozen=True, slots=True)
class Row:
    """An open alert as the table has it. `seconds` since it was raised, `told` seconds since people were last told, or None."""

    id: UUID
    rule: str
    subject: str
    server: str
    value: float
    worst: float
    note: str
    seconds: float
    told: float | None
    acknowledged: bool


class Ledger:
    """Brings a board and the table together. `server`: whose board it is."""

    def __init__(self, server: str) -> None:
        self.server = server

    def write(self, board: Board, rules: Sequence[Rule]) -> list[News]:
        """What of the board changed goes into the table; returns what people are to be told by this server. One transaction: two
        statements, up to seven when something is raised, open or over. After an error the board is as it was."""
        now = board.clock()
        with unit_of_work(Scope(reason="monitoring")):
            _raise([one for one in [*board.over, *board.open.values()] if one.id is None], now)
            ended = _resolved([one.id for one in board.over if one.id is not None])
            rows = {(row.rule, row.subject, row.server): row for row in (Row(*one) for one in _rows(OPEN, [self.server]))}
            pairs = [(one, rows[key]) for key, one in board.open.items() if key in rows]
            confirmed = [(one, row) for one, row in pairs if one.seen == board.taken]
            _seen(confirmed)
            told = _claimed(confirmed)
            _change(FORGOTTEN, [NOBODY_SAYS])
        over = [one for one in board.over if not one.said_over and (one.told is not None if one.id is None else ended.get(one.id))]
        board.over.clear()
        news = [News.of(Event.RESOLVED, one, now) for one in over]
        for one, row in pairs:
            was_told_without = one.id is None and one.told is not None
            _follow(one, row, now)
            if was_told_without:
                news.append(News.of(Event.RAISED, one, now, only_bell=True))
            if row.id in told:
                news.append(News.of(Event.RAISED if row.told is None else Event.REMINDED, one, now))
                board.told(one)
        for key in [key for key in board.open if key not in rows]:
            del board.open[key]  # another server has resolved it
        _adopt(board, rows, {rule.name: rule for rule in rules}, now)
        return news


def _raise(new: Sequence[Standing], now: float) -> None:
    rows = [
        (
            new_id(), one.rule.name, one.subject, one.server, one.rule.severity, float(one.value), float(one.worst), one.note[:300],
            now - one.raised, None if one.told is None else now - one.told, None if one.resolved is None else now - one.resolved,
        )
        for one in new
    ]  # fmt: skip
    if rows:
        _change(RAISE, [list(column) for column in zip(*rows, strict=True)])


def _resolved(ids: list[UUID]) -> dict[UUID, bool]:
    """Those that were open still, and whether people had been told of them."""
    return dict(_rows(RESOLVE, [ids])) if ids else {}


def _seen(pairs: Sequence[tuple[Standing, Row]]) -> None:
    if pairs:
        rows = [(row.id, float(one.value), float(one.worst), one.note[:300], one.rule.severity) for one, row in pairs]
        _change(SEEN, [list(column) for column in zip(*rows, strict=True)])


def _claimed(pairs: Sequence[tuple[Standing, Row]]) -> set[UUID]:
    """Those of which this server is to tell."""
    if not pairs:
        return set()
    return {one for (one,) in _rows(TELL, [[row.id for _, row in pairs], [one.rule.quiet_minutes for one, _ in pairs]])}


def _follow(one: Standing, row: Row, now: float) -> None:
    one.id, one.acknowledged, one.raised = row.id, row.acknowledged, now - row.seconds
    one.told = None if row.told is None else now - row.told


def _adopt(board: Board, rows: dict[Key, Row], rules: dict[str, Rule], now: float) -> None:
    """What another server has raised, or this one before it was started anew, is judged by this one from now on."""
    for key, row in rows.items():
        if key not in board.open and row.rule in rules:
            one = Standing(rules[row.rule], row.subject, row.server, now, float("-inf"), row.value, row.worst, row.note)
            _follow(one, row, now)
            board.open[key] = one


def _rows(sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _change(sql: str, values: Sequence[Any]) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, values)
