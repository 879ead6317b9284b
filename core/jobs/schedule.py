"""What is done regularly, in one table; and following it, once, however many clocks tick."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connections

from core.jobs.services import enqueue, enqueue_for_clinics
from core.tenancy.context import Scope, unit_of_work
from core.tenancy.models import Clinic

LOOK_BACK = 366  # days; an entry that is due less often than that is never due

# Marks are compared with the database's clock alone. A mark that lies ahead of it was set while that clock was wrong.
FOLLOW = """
INSERT INTO core_schedulemark AS known (entry, moment) SELECT * FROM unnest(%(entries)s::text[], %(moments)s::timestamptz[])
ON CONFLICT (entry) DO UPDATE SET moment = EXCLUDED.moment WHERE known.moment < EXCLUDED.moment OR known.moment > now()
RETURNING entry, xmax = 0
"""


class Crontab:
    """`minute hour day-of-month month day-of-week`, each `*`, numbers, ranges and steps; a day has to fit both its columns.

    Sunday is 0. Raises ValueError for what is none.
    """

    RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))

    def __init__(self, text: str) -> None:
        parts = text.split()
        if len(parts) != len(self.RANGES):
            raise ValueError(f"{text!r} is no crontab.")
        found = (_numbers(part, *limits) for part, limits in zip(parts, self.RANGES, strict=True))
        self.minutes, self.hours, self.days, self.months, self.weekdays = found

    def last(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The latest moment that is due at `now` (aware), in the zone's time; None if there was none within a year.

        A time that the zone's clock skips comes when it has been skipped; one that comes twice is due the first time.
        """
        today = now.astimezone(zone).date()
        days = (today - timedelta(days=back) for back in range(LOOK_BACK))
        moments = (moment for day in days if self._fits(day) for moment in self._moments(day, zone))
        return next((moment for moment in moments if moment <= now), None)

    def _fits(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _moments(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """Of that day, the latest first."""
        walls = (time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes))
        yield from sorted({datetime.combine(day, wall, zone).astimezone(UTC) for wall in walls}, reverse=True)


def _numbers(part: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for one in part.split(","):
        numbers, _, step = one.partition("/")
        first, _, last = (f"{least}-{most}" if numbers == "*" else numbers).partition("-")
        found |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    if not found or min(found) < least or max(found) > most:
        raise ValueError(f"{part!r} is not within {least} and {most}.")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of job and when. `per_clinic`: one for each active clinic, at the clinic's own time; else once, by UTC."""

    kind: str
    crontab: Crontab
    per_clinic: bool = False


SCHEDULE: list[Entry] = [
    Entry("messages.send", Crontab("* * * * *")),
    Entry("webhooks.send", Crontab("* * * * *")),
    Entry("external_systems.check", Crontab("* * * * *")),
    Entry("reminders.send", Crontab("*/5 * * * *"), per_clinic=True),
    Entry("audit.seal", Crontab("*/5 * * * *")),
    Entry("backup.make", Crontab("15 0 * * *")),
    Entry("backup.drill", Crontab("15 5 * * 6")),
    Entry("cache.warm", Crontab("30 5 * * *"), per_clinic=True),
    Entry("data_sync.send", Crontab("30 0 * * *"), per_clinic=True),
    Entry("keys.follow_marks", Crontab("45 1 * * *"), per_clinic=True),
    Entry("maintenance.daily", Crontab("15 2 * * *")),
    Entry("maintenance.weekly", Crontab("15 3 * * 0")),
    Entry("maintenance.monthly", Crontab("30 4 1 * *")),
    Entry("patients.finish_anonymisations", Crontab("10 * * * *"), per_clinic=True),
    Entry("uploads.sweep", Crontab("45 3 * * *")),
]


def tick(schedule: list[Entry] | None = None) -> int:
    """Enqueue what has become due since the last tick, anybody's; returns how many jobs. Of moments that were missed only the
    last counts, and an entry that is new begins with its next. Two statements, and two more for each entry that is due."""
    with unit_of_work(Scope(reason="schedule")):
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT now()")
            (now,) = cursor.fetchone()
            clinics = _clinics()
            due = dict(_due(SCHEDULE if schedule is None else schedule, clinics, now))
            cursor.execute(FOLLOW, {"entries": list(due), "moments": [moment for _, _, moment in due.values()]})
            turned = [due[entry] for entry, is_new in cursor.fetchall() if not is_new]
        return sum(_enqueue(entry, clinics.get(zone, []), moment) for entry, zone, moment in turned)


def _clinics() -> dict[str, list["Clinic"]]:
    """The active ones, by their zone. One query."""
    found: dict[str, list[Clinic]] = {}
    for clinic in Clinic.objects.filter(state=Clinic.State.ACTIVE).only("id", "time_zone").order_by("pk"):
        found.setdefault(clinic.time_zone, []).append(clinic)
    return found


def _due(
    schedule: list[Entry], clinics: dict[str, list["Clinic"]], now: datetime
) -> Iterator[tuple[str, tuple[Entry, str, datetime]]]:
    for entry in schedule:
        for zone in clinics if entry.per_clinic else ["UTC"]:
            if (moment := entry.crontab.last(now, ZoneInfo(zone))) is not None:
                yield f"{entry.kind}@{zone}", (entry, zone, moment)


def _enqueue(entry: Entry, clinics: list["Clinic"], moment: datetime) -> int:
    """What an earlier moment has begun and not finished isn't begun again."""
    if entry.per_clinic:
        return enqueue_for_clinics(entry.kind, [one.pk for one in clinics], dedupe_key="scheduled")
    enqueue(entry.kind, dedupe_key="scheduled")
    return 1
