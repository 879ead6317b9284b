"""When something is due."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.jobs.kinds import Within, kind_of
from core.jobs.models import Job, ScheduleMark
from core.jobs.queues import QUEUES, WorkerClass
from core.jobs.schedule import SCHEDULE, Crontab, Entry, tick
from core.tenancy.models import Clinic
from tests.factories.world import World

LONDON = ZoneInfo("Europe/London")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("crontab", "now", "last"),
    [
        ("15 2 * * *", "2026-03-17T02:15", "2026-03-17T02:15"),
        ("15 2 * * *", "2026-03-17T02:14", "2026-03-16T02:15"),
        ("*/5 * * * *", "2026-03-17T09:04:59", "2026-03-17T09:00"),
        ("0 8-10,14 * * *", "2026-03-17T13:59", "2026-03-17T10:00"),
        ("0 6 1 * *", "2026-03-17T00:00", "2026-03-01T06:00"),
        ("0 6 * * 1", "2026-03-17T00:00", "2026-03-16T06:00"),
        ("0 6 * * 0", "2026-03-17T00:00", "2026-03-15T06:00"),
        ("0 0 29 2 *", "2024-03-01T00:00", "2024-02-29T00:00"),
    ],
)
def test_the_last_moment_that_is_due(crontab: str, now: str, last: str) -> None:
    assert Crontab(crontab).last(utc(now), ZoneInfo("UTC")) == utc(last)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-03-28T12:00", "2026-03-28T01:30"),  # winter
        ("2026-03-29T12:00", "2026-03-29T01:30"),  # 01:30 doesn't exist: half past two by the new time
        ("2026-03-30T12:00", "2026-03-30T00:30"),  # summer
        ("2026-10-25T12:00", "2026-10-25T00:30"),  # 01:30 comes twice: the first
    ],
)
def test_it_goes_by_the_clinic_s_clock(now: str, last: str) -> None:
    assert Crontab("30 1 * * *").last(utc(now), LONDON) == utc(last)


def test_an_entry_that_is_never_due_is_never_due() -> None:
    assert Crontab("0 0 31 2 *").last(utc("2026-03-17T00:00"), ZoneInfo("UTC")) is None


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7", "x * * * *", "5-1 * * * *"]
)
def test_what_is_no_crontab_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Crontab(text)


def test_every_entry_of_the_schedule_can_be_done() -> None:
    for entry in SCHEDULE:
        within = kind_of(entry.kind).within
        assert within is not Within.CLINIC or entry.per_clinic
        assert within is not Within.PLATFORM or not entry.per_clinic


def test_a_moment_is_followed_once_for_each_active_clinic(world: World) -> None:
    schedule = [Entry("cache.warm", Crontab("* * * * *"), per_clinic=True)]
    assert tick(schedule) == 0  # new: it begins with its next moment
    ScheduleMark.objects.filter(entry="cache.warm@Europe/London").update(moment=utc("2026-01-01T00:00"))
    assert tick(schedule) == 1
    assert list(Job.objects.values_list("kind", "in_clinic")) == [("cache.warm", world.riverside.clinic.pk)]
    Clinic.objects.filter(pk=world.hillcrest.clinic.pk).update(state=Clinic.State.SUSPENDED)
    ScheduleMark.objects.update(moment=utc("2026-01-01T00:00"))
    assert tick(schedule) == 0  # Riverside's job of before isn't done yet; Hillcrest is closed
    assert Job.objects.count() == 1


def test_a_mark_that_lies_ahead_is_put_right(world: World) -> None:
    """The database's clock was wrong for a while."""
    schedule = [Entry("uploads.sweep", Crontab("* * * * *"))]
    tick(schedule)
    ScheduleMark.objects.update(moment=utc("2999-01-01T00:00"))
    assert tick(schedule) == 1
    assert ScheduleMark.objects.get().moment < utc("2999-01-01T00:00")


def test_limits_and_priorities_make_sense() -> None:
    for name, queue in QUEUES.items():
        assert (queue.name, 0 < queue.soft < queue.hard, 0 <= queue.priority <= 9) == (name, True, True)
    assert max(queue.hard for queue in QUEUES.values() if queue.workers is WorkerClass.URGENT) <= 90
