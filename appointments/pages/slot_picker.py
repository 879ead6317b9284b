"""The times of some days as a person picks them: a strip of days, then the times of one."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from appointments.forms import slot_value
from appointments.models import Service
from appointments.selectors.picking import OfferedTime, offered_times
from appointments.slots import DAY
from core.accounts.actor import Actor

WINDOW_DAYS = 7  # one page of the strip
NOON = 12


@dataclass(frozen=True, slots=True)
class TimeChoice:
    """One time to pick. `local` is naive wall-clock time at the location."""

    value: str
    local: datetime
    local_end: datetime
    provider_name: str
    place: str
    is_free: bool
    checked: bool = False


@dataclass(frozen=True, slots=True)
class DayChoice:
    day: date
    free: int
    checked: bool


@dataclass(frozen=True, slots=True)
class SlotPicker:
    """What `appointments/_slots.html` shows. `earlier` and `later` are the first days of the neighbouring windows."""

    first_day: date
    earlier: date | None
    later: date | None
    days: list[DayChoice] = field(default_factory=list)
    day: date | None = None
    times: list[TimeChoice] = field(default_factory=list)
    asked: bool = False

    @property
    def chosen(self) -> TimeChoice | None:
        return next((one for one in self.times if one.checked), None)

    @property
    def first_free(self) -> TimeChoice | None:
        return next((one for one in self.times if one.is_free), None)

    @property
    def parts(self) -> list[tuple[str | Promise, list[TimeChoice]]]:
        """Morning and afternoon, without empty ones."""
        morning = [one for one in self.times if one.local.hour < NOON]
        afternoon = [one for one in self.times if one.local.hour >= NOON]
        return [(words, part) for words, part in ((_("Morning"), morning), (_("Afternoon"), afternoon)) if part]

    @property
    def free_today(self) -> int:
        """How many times of the day shown are free."""
        return sum(one.is_free for one in self.times)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person has said so far about when and with whom; None means no matter."""

    provider_id: UUID | None = None
    location_id: UUID | None = None
    day: date | None = None
    first_day: date | None = None
    start: datetime | None = None
    today_only: bool = False
    moving: UUID | None = None


def slot_picker(*, actor: Actor, service: Service | None, wish: Wish, now: datetime) -> SlotPicker:
    """The picker for a service and a wish. Five queries; none without a service.

    A shift of the night before is among them with what it has after midnight. Whoever walks in may wait past midnight: for them
    tonight's shift is shown to its end.
    """
    today = timezone.localdate(now)
    first_day = today if wish.today_only else max(today, wish.first_day or wish.day or today)
    last_day = today if wish.today_only else first_day + (WINDOW_DAYS - 1) * DAY
    earlier = max(today, first_day - WINDOW_DAYS * DAY) if first_day > today else None
    later = None if wish.today_only else last_day + DAY
    if service is None:
        return SlotPicker(first_day, earlier, later)
    offered = offered_times(
        actor=actor, service=service, first_day=first_day - DAY, last_day=last_day, now=now,
        provider_id=wish.provider_id, location_id=wish.location_id, moving=wish.moving,
    )  # fmt: skip
    by_day: dict[date, list[OfferedTime]] = {}
    for one in offered:
        starts_on = one.slot.start.date()
        if starts_on >= first_day and (wish.today_only or starts_on <= last_day):
            by_day.setdefault(starts_on, []).append(one)
    day = _day(by_day, wish)
    chosen = _chosen([one for one in by_day.get(day, []) if one.is_free] if day else [], wish)
    return SlotPicker(
        first_day, earlier, later,
        days=[DayChoice(one, sum(time.is_free for time in times), one == day) for one, times in by_day.items()],
        day=day,
        times=[_choice(one, checked=one is chosen) for one in by_day.get(day, [])] if day else [],
        asked=True,
    )  # fmt: skip


def _day(by_day: dict[date, list[OfferedTime]], wish: Wish) -> date | None:
    """The day wished for if it has a free time, else the first that has."""
    free = [day for day, times in by_day.items() if any(one.is_free for one in times)]
    if wish.day in free:
        return wish.day
    return next(iter(free), next(iter(by_day), None))


def _chosen(free: list[OfferedTime], wish: Wish) -> OfferedTime | None:
    """The time wished for, else the first after it, else the first."""
    after = (one for one in free if wish.start and one.slot.start >= wish.start)
    return next(after, next(iter(free), None))


def _choice(one: OfferedTime, *, checked: bool) -> TimeChoice:
    slot = one.slot
    room = f", {slot.room.name}" if slot.room else ""
    return TimeChoice(
        value=slot_value(slot.start, slot.provider.id),
        local=slot.start.replace(tzinfo=None),
        local_end=slot.end.replace(tzinfo=None),
        provider_name=slot.provider.short_name,
        place=f"{slot.location.name}{room}",
        is_free=one.is_free,
        checked=checked,
    )
