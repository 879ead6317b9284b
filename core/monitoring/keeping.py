"""Samples in the database: written a minute at a time, added up to quarters of an hour, thinned out. While the database is away
they wait in memory."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections

from core.monitoring.series import MINUTE, QUARTER, Sampled, Value, added
from core.tenancy.context import Scope, unit_of_work

MINUTES_KEPT, QUARTERS_KEPT = timedelta(hours=48), timedelta(days=31)
MOST_WAITING = 1440  # minutes; of a longer outage the newest day is written

WRITE = """
INSERT INTO core_metricsample AS kept (series, resolution, moment, count, total, low, high)
SELECT series, 1, moment, count, total, low, high
FROM unnest(%s::text[], %s::timestamptz[], %s::int[], %s::float8[], %s::float8[], %s::float8[])
    AS seen (series, moment, count, total, low, high)
ORDER BY series, moment
ON CONFLICT (resolution, series, moment) DO UPDATE SET count = kept.count + EXCLUDED.count, total = kept.total + EXCLUDED.total,
    low = least(kept.low, EXCLUDED.low), high = greatest(kept.high, EXCLUDED.high)
"""
# Made anew from the minutes, however often: a minute that comes late counts.
ROLL_UP = """
INSERT INTO core_metricsample AS kept (series, resolution, moment, count, total, low, high)
SELECT series, 15, date_bin('15 minutes', moment, 'epoch'), sum(count), sum(total), min(low), max(high) FROM core_metricsample
WHERE resolution = 1 AND moment >= %s GROUP BY 1, 3 ORDER BY 1, 3
ON CONFLICT (resolution, series, moment) DO UPDATE SET count = EXCLUDED.count, total = EXCLUDED.total, low = EXCLUDED.low,
    high = EXCLUDED.high
"""
THIN_OUT = """
DELETE FROM core_metricsample WHERE
    (resolution = 1 AND moment < now() - %s * interval '1 second')
    OR (resolution = 15 AND moment < now() - %s * interval '1 second')
"""
READ = """
SELECT series, date_bin(%(step)s * interval '1 minute', moment, 'epoch'), sum(count)::int, sum(total), min(low), max(high)
FROM core_metricsample WHERE resolution = %(resolution)s AND series = ANY (%(names)s) AND moment >= %(since)s
AND (%(until)s::timestamptz IS NULL OR moment < %(until)s) GROUP BY 1, 2 ORDER BY 2
"""


class Keeper:
    """What one server has sampled and not written yet."""

    def __init__(self) -> None:
        self.waiting: deque[Sampled] = deque(maxlen=MOST_WAITING)

    def add(self, sampled: Sampled) -> None:
        self.waiting.append(sampled)

    def write(self) -> None:
        """Write what waits, in one transaction: two statements, once an hour three. What fails leaves it waiting."""
        taken = list(self.waiting)
        if not taken:
            return
        with unit_of_work(Scope(reason="monitoring")):
            _write(taken)
            if any(one.moment.minute == 0 for one in taken):
                with connections["default"].cursor() as cursor:
                    cursor.execute(THIN_OUT, [MINUTES_KEPT.total_seconds(), QUARTERS_KEPT.total_seconds()])
        self.waiting.clear()


def _write(taken: Sequence[Sampled]) -> None:
    rows = [(name, one.moment, v.count, v.total, v.low, v.high) for one in _by_moment(taken) for name, v in one.values.items()]
    if not rows:
        return
    with connections["default"].cursor() as cursor:
        cursor.execute(WRITE, [list(column) for column in zip(*rows, strict=True)])
        cursor.execute(ROLL_UP, [quarter_of(min(one.moment for one in taken))])


def _by_moment(taken: Sequence[Sampled]) -> list[Sampled]:
    """One statement may write each row once."""
    found: dict[datetime, list[Sampled]] = {}
    for one in taken:
        found.setdefault(one.moment, []).append(one)
    return [Sampled(moment, added(one.values for one in many)) for moment, many in found.items()]


def quarter_of(moment: datetime) -> datetime:
    """When the quarter of an hour began that it is part of."""
    return datetime.fromtimestamp(int(moment.timestamp()) // (60 * QUARTER) * 60 * QUARTER, UTC)


def samples(
    names: Sequence[str], since: datetime, *, resolution: int = MINUTE, step: int = 0, until: datetime | None = None
) -> dict[str, dict[datetime, Value]]:
    """Series -> moment -> value, from `since` on, before `until` (both aware); with `step`, so many minutes added up. One query."""
    found: dict[str, dict[datetime, Value]] = {name: {} for name in names}
    with connections["default"].cursor() as cursor:
        values: dict[str, Any] = {
            "step": max(step, resolution),
            "resolution": resolution,
            "names": list(names),
            "since": since,
            "until": until,
        }
        cursor.execute(READ, values)
        for series, moment, count, total, low, high in cursor.fetchall():
            found[series][moment] = Value(count, total, low, high)
    return found
