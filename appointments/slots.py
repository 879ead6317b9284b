"""When a service can be booked: pure computation over hours, closures and what is taken. Knows no database.

The rules
---------
Hours. A `Block` is wall-clock time in the zone of its location (which may differ from its clinic's). It belongs to the
local day on which it starts, also when it ends after midnight (`end` at or before `start` means the next day): a
question for one day includes the whole of that day's night shift and nothing of the night shift of the day before.
Validity dates speak of that day too.

Clock changes. A wall-clock time that the clock skips does not exist: no visit starts there, and a block that would
begin or end inside the gap begins or ends at the moment of the change. A time that occurs twice is its first
occurrence, for starts and for ends. Durations and buffers are elapsed time.

Starts. A block's grid is `start`, `start + slot_minutes`, … in wall-clock time. A visit must lie in one block entirely.

Exceptions. Away without times takes away the weekly blocks (not the extra ones) that belong to those days; away with times
takes away that wall-clock time from every block, the extra ones too, on each of those days. Naming a location, it takes
away only what is there. Extra hours are a block on each of their days, with a grid of `EXTRA_SLOT_MINUTES`.

Closures. A holiday takes away every block, weekly or extra, that belongs to the day: at its location, or everywhere.

Taken time. The visit with its buffers must be free for provider and room; buffers need not lie inside the hours.
All intervals contain their beginning and not their end.

Rooms. A block's own room if it has one (open, whatever its kind); else, if the service needs a kind of room, the first
open one of that kind at the location that is free, in the order given; else none.

Lead time. No visit starts before `now`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

EXTRA_SLOT_MINUTES = 10
DAY = timedelta(days=1)
type Interval = tuple[datetime, datetime]
type Seconds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Block:
    """Hours that recur: on `weekday` (Monday is 0), or on every day of their validity when it is None (extra hours)."""

    provider_id: UUID
    location_id: UUID
    zone: ZoneInfo
    start: time
    end: time
    weekday: int | None = None
    slot_minutes: int = EXTRA_SLOT_MINUTES
    room_id: UUID | None = None
    valid_from: date | None = None
    valid_until: date | None = None

    @property
    def is_extra(self) -> bool:
        return self.weekday is None

    def applies_on(self, day: date) -> bool:
        if self.weekday is not None and day.weekday() != self.weekday:
            return False
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True, slots=True)
class Away:
    """A provider's absence, days included on both ends. Without times: whole days. Without location: everywhere."""

    provider_id: UUID
    first_day: date
    last_day: date
    start: time | None = None
    end: time | None = None
    location_id: UUID | None = None

    def concerns(self, block: Block) -> bool:
        return self.provider_id == block.provider_id and self.location_id in (None, block.location_id)


@dataclass(frozen=True, slots=True)
class Closure:
    """A day on which a location (None: every one) is closed."""

    day: date
    location_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RoomOption:
    """An open room."""

    id: UUID
    location_id: UUID
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a visit of a service needs, in minutes. `room_kind` empty: no room."""

    duration: int
    before: int = 0
    after: int = 0
    room_kind: str = ""

    def reach(self, low: datetime, high: datetime) -> Interval:
        """What is taken between these moments alone decides about visits that start from `low` to `high`."""
        return low - timedelta(minutes=self.before), high + timedelta(minutes=self.duration + self.after)


@dataclass(frozen=True, slots=True)
class Hours:
    """Everything that decides when somebody works. `rooms` in the order in which they are to be given out."""

    blocks: Sequence[Block]
    away: Sequence[Away] = ()
    closures: Sequence[Closure] = ()
    rooms: Sequence[RoomOption] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit that could be booked; `start` and `end` in the location's zone, without buffers."""

    start: datetime
    end: datetime
    provider_id: UUID
    location_id: UUID
    room_id: UUID | None


@dataclass(frozen=True, slots=True)
class Shift:
    """A block on one of its days: what is left of it after exceptions, as stretches of seconds since 1970."""

    block: Block
    day: date
    stretches: tuple[Seconds, ...]

    def intervals(self) -> list[Interval]:
        """The stretches as datetimes in the location's zone."""
        zone = self.block.zone
        return [(datetime.fromtimestamp(a, zone), datetime.fromtimestamp(b, zone)) for a, b in self.stretches]

    def holds(self, start: datetime, end: datetime) -> bool:
        """Does a visit lie inside, entirely?"""
        first, last = start.timestamp(), end.timestamp()
        return any(a <= first and last <= b for a, b in self.stretches)

    def touches(self, low: datetime, high: datetime) -> bool:
        """Does any of what is left of it lie between these moments?"""
        first, last = low.timestamp(), high.timestamp()
        return any(a <= last and first < b for a, b in self.stretches)


@dataclass(slots=True)
class Taken:
    """What is taken of each resource. Give the intervals in any order; they may touch or overlap."""

    of: Mapping[UUID, Iterable[Interval]] = field(default_factory=dict)
    _merged: dict[UUID, tuple[list[int], list[int]]] = field(default_factory=dict, init=False)

    def is_free(self, resource_id: UUID, start: int, end: int) -> bool:
        """Is [start, end), in seconds since 1970, free of the resource's intervals?"""
        starts, ends = self._of(resource_id)
        index = bisect_right(ends, start)
        return index == len(starts) or starts[index] >= end

    def _of(self, resource_id: UUID) -> tuple[list[int], list[int]]:
        known = self._merged.get(resource_id)
        if known is None:
            starts: list[int] = []
            ends: list[int] = []
            for start, end in sorted((_floor(a), _ceil(b)) for a, b in self.of.get(resource_id, ())):
                if ends and start <= ends[-1]:
                    ends[-1] = max(ends[-1], end)
                else:
                    starts.append(start)
                    ends.append(end)
            known = self._merged[resource_id] = (starts, ends)
        return known


# --- Wall clock and instants --------------------------------------------------------------------------------------------
def instant_of(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment at which the zone's clocks show the naive `wall`, in UTC; None if they never do."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == wall else None


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Like `instant_of`, but for a time in a gap the moment of the change: where a block begins or ends."""
    moment = instant_of(wall, zone)
    if moment is not None:
        return moment
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # in a gap fold=1 is the earlier, just before the change
    high = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _wall_ends(day: date, start: time, end: time) -> tuple[datetime, datetime]:
    """The naive ends of [start, end) on `day`; an end at or before the start is the next day's."""
    return datetime.combine(day, start), datetime.combine(day + DAY if end <= start else day, end)


def _seconds(day: date, start: time, end: time, zone: ZoneInfo) -> Seconds:
    first, last = _wall_ends(day, start, end)
    return int(moment_of(first, zone).timestamp()), int(moment_of(last, zone).timestamp())


# --- Shifts -------------------------------------------------------------------------------------------------------------
def shifts(hours: Hours, first_day: date, last_day: date) -> list[Shift]:
    """The shifts that belong to the days from first to last (both included), earliest day first."""
    closed = {(closure.day, closure.location_id) for closure in hours.closures}
    found = []
    for day in days_between(first_day, last_day):
        if (day, None) in closed:
            continue
        for block in hours.blocks:
            if (day, block.location_id) in closed or not block.applies_on(day):
                continue
            stretches = _left_of(block, day, hours.away)
            if stretches:
                found.append(Shift(block, day, tuple(stretches)))
    return found


def days_between(first_day: date, last_day: date) -> Iterator[date]:
    for number in range((last_day - first_day).days + 1):
        yield first_day + timedelta(days=number)


def _left_of(block: Block, day: date, away: Sequence[Away]) -> list[Seconds]:
    concerned = [one for one in away if one.concerns(block)]
    if not block.is_extra and any(one.start is None and one.first_day <= day <= one.last_day for one in concerned):
        return []
    begin, end = _seconds(day, block.start, block.end, block.zone)
    stretches = [(begin, end)] if begin < end else []
    for one in concerned:
        if one.start is None or one.end is None:
            continue
        # An absence of the day before may reach past midnight, and so may this block.
        for other in days_between(max(one.first_day, day - DAY), min(one.last_day, day + DAY)):
            stretches = _without(stretches, _seconds(other, one.start, one.end, block.zone))
    return stretches


def _without(stretches: list[Seconds], hole: Seconds) -> list[Seconds]:
    begin, end = hole
    if begin >= end:
        return stretches
    left = []
    for a, b in stretches:
        left += [part for part in ((a, min(b, begin)), (max(a, end), b)) if part[0] < part[1]]
    return left


# --- Slots --------------------------------------------------------------------------------------------------------------
def free_slots(hours: Hours, demand: Demand, taken: Taken, first_day: date, last_day: date, *, now: datetime) -> list[Slot]:
    """All free slots of the shifts that belong to these days; by start, then in the order of the blocks."""
    return slots_of(shifts(hours, first_day, last_day), hours.rooms, demand, taken, earliest=now)


def rooms_for(given: Iterable[Shift], rooms: Iterable[RoomOption], demand: Demand) -> list[RoomOption]:
    """Those of the rooms that a visit in these shifts may be given, in the same order."""
    own, places = set(), set()
    for shift in given:
        own.add(shift.block.room_id)
        places.add(shift.block.location_id)
    of_kind = demand.room_kind
    return [room for room in rooms if room.id in own or (of_kind and room.kind == of_kind and room.location_id in places)]


def slots_of(
    given: Iterable[Shift],
    rooms: Sequence[RoomOption],
    demand: Demand,
    taken: Taken,
    *,
    earliest: datetime,
    latest: datetime | None = None,
) -> list[Slot]:
    """The free slots of some shifts that start between two moments (both included)."""
    open_rooms = {room.id for room in rooms}
    candidates_by_location: dict[UUID, list[UUID]] = {}
    for room in rooms:
        if demand.room_kind and room.kind == demand.room_kind:
            candidates_by_location.setdefault(room.location_id, []).append(room.id)
    low, high = _ceil(earliest), int(latest.timestamp()) if latest else None
    seen: set[tuple[int, UUID, UUID]] = set()
    found: list[tuple[int, Slot]] = []
    for shift in given:
        block = shift.block
        fixed = block.room_id if block.room_id in open_rooms else None
        choice: Sequence[UUID | None]
        if fixed is not None:
            choice = [fixed]
        elif demand.room_kind:
            choice = candidates_by_location.get(block.location_id, [])
        else:
            choice = [None]
        for start in starts(shift, demand.duration, low, high):
            key = (start, block.provider_id, block.location_id)
            claimed = start - demand.before * 60, start + (demand.duration + demand.after) * 60
            if key in seen or not taken.is_free(block.provider_id, *claimed):
                continue
            for room_id in choice:
                if room_id is None or taken.is_free(room_id, *claimed):
                    seen.add(key)
                    found.append((start, _slot(start, demand, block, room_id)))
                    break
    found.sort(key=lambda pair: pair[0])
    return [slot for _, slot in found]


def _slot(start: int, demand: Demand, block: Block, room_id: UUID | None) -> Slot:
    begin = datetime.fromtimestamp(start, block.zone)
    end = datetime.fromtimestamp(start + demand.duration * 60, block.zone)
    return Slot(begin, end, block.provider_id, block.location_id, room_id)


def starts(shift: Shift, duration: int, low: int, high: int | None = None) -> Iterator[int]:
    """The grid's starts (seconds since 1970, `low` to `high`) at which `duration` minutes fit into what is left of the shift."""
    block = shift.block
    wall, wall_end = _wall_ends(shift.day, block.start, block.end)
    step = block.slot_minutes * 60
    length = duration * 60
    begins = [begin for begin, _ in shift.stretches]
    for start in _grid(wall, wall_end, step, block.zone, low):
        if high is not None and start > high:
            return
        index = bisect_right(begins, start) - 1
        if start >= low and index >= 0 and start + length <= shift.stretches[index][1]:
            yield start


def _grid(wall: datetime, wall_end: datetime, step: int, zone: ZoneInfo, low: int) -> Iterator[int]:
    """Every `step` seconds of wall-clock time, as moments; what is before `low` may be left out."""
    first, last = instant_of(wall, zone), instant_of(wall_end, zone)
    elapsed = (wall_end - wall).total_seconds()
    if first is not None and last is not None and (last - first).total_seconds() == elapsed:
        begin, end = int(first.timestamp()), int(last.timestamp())  # no clock change between: plain arithmetic
        skipped = max(0, -(-(low - begin) // step))
        yield from range(begin + skipped * step, end, step)
        return
    while wall < wall_end:
        moment = instant_of(wall, zone)
        if moment is not None:
            yield int(moment.timestamp())
        wall += timedelta(seconds=step)


def free_stretches(shift: Shift, taken: Taken, *, earliest: datetime) -> list[Interval]:
    """What is left of a shift for its provider from a moment on, as intervals in the location's zone."""
    starts_taken, ends_taken = taken._of(shift.block.provider_id)
    low = _ceil(earliest)
    stretches = [(max(a, low), b) for a, b in shift.stretches if b > low]
    for a, b in zip(starts_taken, ends_taken, strict=True):
        stretches = _without(stretches, (a, b))
    zone = shift.block.zone
    return [(datetime.fromtimestamp(a, zone), datetime.fromtimestamp(b, zone)) for a, b in stretches]


def _floor(moment: datetime) -> int:
    return int(moment.timestamp() // 1)


def _ceil(moment: datetime) -> int:
    return -int(-moment.timestamp() // 1)
