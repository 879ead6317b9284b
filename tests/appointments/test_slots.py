"""Free slots against a slow, obvious oracle that walks every minute; and the days on which clocks change."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appointments.slots import (
    Away,
    Block,
    Closure,
    Demand,
    Hours,
    Interval,
    RoomOption,
    Slot,
    Taken,
    free_slots,
    rooms_for,
    shifts,
    slots_of,
)

PROVIDERS = [UUID(int=number) for number in (1, 2)]
PLACES = [UUID(int=number) for number in (11, 12)]
ROOMS = [
    RoomOption(UUID(int=21), PLACES[0], "consulting"),
    RoomOption(UUID(int=22), PLACES[0], "consulting"),
    RoomOption(UUID(int=23), PLACES[1], "treatment"),
]
LONDON, NEW_YORK, KIRITIMATI = (ZoneInfo(name) for name in ("Europe/London", "America/New_York", "Pacific/Kiritimati"))
A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
# Around the changes of London and New York in 2026, and an ordinary day.
DAYS = [
    date(2026, 3, 28),
    date(2026, 3, 29),
    date(2026, 10, 24),
    date(2026, 10, 25),
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 6, 10),
]


# --- The oracle: minute by minute -----------------------------------------------------------------------------------------
def minutes_of(day: date, start: time, end: time, zone: ZoneInfo) -> list[datetime]:
    """Every elapsed minute (in UTC) between the moments at which the clocks first reach or pass start and end."""
    first = datetime.combine(day, start)
    last = datetime.combine(day + A_DAY if end <= start else day, end)
    moment = datetime.combine(day, time(), UTC) - 2 * A_DAY
    begun, found = False, []
    for _ in range(5 * 24 * 60):
        wall = moment.astimezone(zone).replace(tzinfo=None)
        if wall >= last:
            break  # the first time that the clocks show the end, or have jumped over it
        begun = begun or wall >= first
        if begun:
            found.append(moment)
        moment += A_MINUTE
    return found


def first_moment(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """By looking at every minute of three days."""
    moment = wall.replace(tzinfo=UTC) - A_DAY
    for _ in range(2 * 24 * 60):
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        moment += A_MINUTE
    return None


def is_free(intervals: Iterable[Interval], start: datetime, end: datetime) -> bool:
    return not any(a < end and start < b and a < b for a, b in intervals)


def oracle(
    hours: Hours, demand: Demand, busy: dict[UUID, list[Interval]], days: list[date], now: datetime
) -> set[tuple[datetime, UUID, UUID]]:
    found = set()
    for day in days:
        for block in hours.blocks:
            if block.weekday not in (None, day.weekday()):
                continue
            if (block.valid_from and day < block.valid_from) or (block.valid_until and day > block.valid_until):
                continue
            if any(c.day == day and c.location_id in (None, block.location_id) for c in hours.closures):
                continue
            mine = [a for a in hours.away if a.provider_id == block.provider_id and a.location_id in (None, block.location_id)]
            if block.weekday is not None and any(a.start is None and a.first_day <= day <= a.last_day for a in mine):
                continue
            working = set(minutes_of(day, block.start, block.end, block.zone))
            for away in mine:
                if away.start is not None and away.end is not None:
                    for number in range((away.last_day - away.first_day).days + 1):
                        working -= set(minutes_of(away.first_day + number * A_DAY, away.start, away.end, block.zone))
            found |= set(starts_in(block, day, working, hours, demand, busy, now))
    return found


def starts_in(block, day, working, hours, demand, busy, now):  # type: ignore[no-untyped-def]
    wall = datetime.combine(day, block.start)
    end_wall = datetime.combine(day + A_DAY if block.end <= block.start else day, block.end)
    rooms = {room.id: room for room in hours.rooms}
    while wall < end_wall:
        start = first_moment(wall, block.zone)
        wall += timedelta(minutes=block.slot_minutes)
        if start is None or start < now:
            continue
        if not all(start + n * A_MINUTE in working for n in range(demand.duration)):
            continue
        claimed = start - demand.before * A_MINUTE, start + (demand.duration + demand.after) * A_MINUTE
        if not is_free(busy.get(block.provider_id, []), *claimed):
            continue
        if block.room_id in rooms:
            options = [block.room_id]
        elif demand.room_kind:
            options = [r.id for r in hours.rooms if r.kind == demand.room_kind and r.location_id == block.location_id]
        else:
            yield start, block.provider_id, block.location_id
            continue
        if any(is_free(busy.get(option, []), *claimed) for option in options):
            yield start, block.provider_id, block.location_id


# --- Random clinics ---------------------------------------------------------------------------------------------------------
@st.composite
def clinics(draw: st.DrawFn) -> tuple[Hours, Demand, dict[UUID, list[Interval]], date, datetime]:
    day = draw(st.sampled_from(DAYS))
    zones = {place: draw(st.sampled_from([LONDON, NEW_YORK, KIRITIMATI])) for place in PLACES}
    clock = st.builds(time, st.integers(0, 23), st.sampled_from([0, 10, 15, 30, 45]))
    near = st.integers(-1, 2).map(lambda n: day + n * A_DAY)
    rooms = draw(st.lists(st.sampled_from(ROOMS), unique=True))

    def block(place: UUID, weekday: int | None) -> Block:
        ends = draw(st.one_of(st.none(), near))
        return Block(
            provider_id=draw(st.sampled_from(PROVIDERS)), location_id=place, zone=zones[place], start=draw(clock), end=draw(clock),
            weekday=weekday, slot_minutes=draw(st.sampled_from([10, 15, 20, 45])),
            room_id=draw(st.sampled_from([None, *(room.id for room in ROOMS if room.location_id == place)])),
            valid_from=day - A_DAY if weekday is None else draw(st.one_of(st.none(), near)),
            valid_until=day + A_DAY if weekday is None else ends,
        )  # fmt: skip

    blocks = [
        block(draw(st.sampled_from(PLACES)), draw(st.sampled_from([None, day.weekday(), day.weekday(), (day.weekday() + 1) % 7])))
        for _ in range(draw(st.integers(1, 3)))
    ]
    away = []
    for _ in range(draw(st.integers(0, 2))):
        first, whole = draw(near), draw(st.booleans())
        place = draw(st.sampled_from([None, *PLACES]))
        last = first + draw(st.integers(0, 1)) * A_DAY
        away.append(
            Away(
                draw(st.sampled_from(PROVIDERS)), first, last, None if whole else draw(clock), None if whole else draw(clock), place
            )
        )
    closures = draw(st.lists(st.builds(Closure, near, st.sampled_from([None, *PLACES])), max_size=1))
    demand = Demand(
        draw(st.sampled_from([5, 20, 50])),
        draw(st.sampled_from([0, 15])),
        draw(st.sampled_from([0, 10])),
        draw(st.sampled_from(["", "consulting", "treatment"])),
    )
    midnight = datetime.combine(day, time(), UTC)
    busy: dict[UUID, list[Interval]] = {}
    for resource in [*PROVIDERS, *(room.id for room in ROOMS)]:
        for _ in range(draw(st.integers(0, 2))):
            start = midnight + draw(st.integers(-14 * 60, 40 * 60)) * A_MINUTE
            busy.setdefault(resource, []).append((start, start + draw(st.integers(1, 300)) * A_MINUTE))
    now = draw(st.one_of(st.just(LONG_AGO), st.integers(-14 * 60, 40 * 60).map(lambda n: midnight + n * A_MINUTE)))
    return Hours(blocks, away, closures, rooms), demand, busy, day, now


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(clinics())
def test_random_clinics_agree_with_the_oracle(clinic: tuple[Hours, Demand, dict[UUID, list[Interval]], date, datetime]) -> None:
    hours, demand, busy, day, now = clinic
    found = free_slots(hours, demand, Taken(busy), day, day + A_DAY, now=now)
    got = {(slot.start.astimezone(UTC), slot.provider_id, slot.location_id) for slot in found}
    assert got == oracle(hours, demand, busy, [day, day + A_DAY], now)
    assert len(got) == len(found)
    for slot in found:
        check_room(slot, hours, demand, busy)


@given(clinics(), st.integers(-10 * 60, 30 * 60), st.integers(0, 8 * 60))
def test_a_look_at_some_hours_needs_only_what_lies_about_them(
    clinic: tuple[Hours, Demand, dict[UUID, list[Interval]], date, datetime], begins: int, minutes: int
) -> None:
    hours, demand, busy, day, _ = clinic
    low = datetime.combine(day, time(), UTC) + begins * A_MINUTE
    high = low + minutes * A_MINUTE
    every = shifts(hours, day - 2 * A_DAY, day + 3 * A_DAY)
    wanted = slots_of(every, hours.rooms, demand, Taken(busy), earliest=low, latest=high)
    some = [shift for shift in every if shift.touches(low, high)]
    since, until = demand.reach(low, high)
    near = {key: [(a, b) for a, b in spans if b > since and a < until] for key, spans in busy.items()}
    rooms = rooms_for(some, hours.rooms, demand)
    assert slots_of(some, rooms, demand, Taken(near), earliest=low, latest=high) == wanted
    assert {slot.room_id for slot in wanted} - {None} <= {room.id for room in rooms}


@pytest.mark.parametrize(("begins", "ends"), [(time(8, 50), time(9)), (time(9, 35), time(9, 50))], ids=["before", "after"])
def test_buffers_reach_beyond_the_hours_that_are_looked_at(begins: time, ends: time) -> None:
    day, zone, nine = date(2026, 6, 10), ZoneInfo("UTC"), datetime(2026, 6, 10, 9, tzinfo=UTC)
    block = Block(PROVIDERS[0], PLACES[0], zone, time(8), time(12), weekday=day.weekday(), slot_minutes=30)
    demand = Demand(30, before=15, after=10)
    since, until = demand.reach(nine, nine)
    span = datetime.combine(day, begins, UTC), datetime.combine(day, ends, UTC)
    assert span[1] > since and span[0] < until
    working = shifts(Hours([block]), day, day)
    assert slots_of(working, [], demand, Taken({}), earliest=nine, latest=nine)
    assert not slots_of(working, [], demand, Taken({PROVIDERS[0]: [span]}), earliest=nine, latest=nine)


def check_room(slot: Slot, hours: Hours, demand: Demand, busy: dict[UUID, list[Interval]]) -> None:
    if slot.room_id is None:
        return
    assert slot.room_id in {room.id for room in hours.rooms if room.location_id == slot.location_id}
    assert is_free(busy.get(slot.room_id, []), slot.start - demand.before * A_MINUTE, slot.end + demand.after * A_MINUTE)


# --- The days on which clocks change ------------------------------------------------------------------------------------------
def found(zone: ZoneInfo, day: date, start: time, end: time, *, minutes: int = 30, until: date | None = None) -> list[str]:
    """Starts with their offsets, of one provider with one block a day and a visit of 30 minutes."""
    hours = Hours([Block(PROVIDERS[0], PLACES[0], zone, start, end, slot_minutes=minutes)])
    return [f"{slot.start:%d %H:%M%z}" for slot in free_slots(hours, Demand(30), Taken(), day, until or day, now=LONG_AGO)]


@pytest.mark.parametrize(
    ("zone", "day", "before", "after", "skipped"),
    [(LONDON, date(2026, 3, 29), "+0000", "+0100", 1), (NEW_YORK, date(2026, 3, 8), "-0500", "-0400", 2)],
)
def test_in_spring_the_skipped_hour_has_no_slots(zone: ZoneInfo, day: date, before: str, after: str, skipped: int) -> None:
    slots = found(zone, day, time(0), time(4))
    assert not [slot for slot in slots if slot[3:5] == f"{skipped:02d}"]
    assert [slot[-5:] for slot in slots] == [before] * (2 * skipped) + [after] * (2 * (3 - skipped))


@pytest.mark.parametrize(
    ("zone", "day", "first", "then", "repeated"),
    [(LONDON, date(2026, 10, 25), "+0100", "+0000", 1), (NEW_YORK, date(2026, 11, 1), "-0400", "-0500", 1)],
)
def test_in_autumn_the_repeated_hour_counts_once(zone: ZoneInfo, day: date, first: str, then: str, repeated: int) -> None:
    slots = found(zone, day, time(0), time(4))
    assert len(slots) == 8
    assert [slot[-5:] for slot in slots] == [first] * 4 + [then] * 4
    assert len([slot for slot in slots if slot[3:5] == f"{repeated:02d}"]) == 2


def test_a_visit_over_the_change_keeps_its_length() -> None:
    hours = Hours([Block(PROVIDERS[0], PLACES[0], LONDON, time(0, 45), time(4), slot_minutes=60)])
    first = free_slots(hours, Demand(30), Taken(), date(2026, 3, 29), date(2026, 3, 29), now=LONG_AGO)[0]
    assert (first.start.astimezone(UTC).time(), first.end.astimezone(UTC).time()) == (time(0, 45), time(1, 15))
    assert first.end.time() == time(2, 15)


def test_hours_that_end_in_the_gap_end_at_the_change() -> None:
    assert found(LONDON, date(2026, 3, 29), time(0), time(1, 30)) == ["29 00:00+0000", "29 00:30+0000"]
    (shift,) = shifts(Hours([Block(PROVIDERS[0], PLACES[0], LONDON, time(1, 20), time(3))]), date(2026, 3, 29), date(2026, 3, 29))
    assert [(a.time(), b.time()) for a, b in shift.intervals()] == [(time(2), time(3))]


def test_a_night_shift_belongs_to_the_day_it_starts() -> None:
    one = found(LONDON, date(2026, 6, 10), time(23), time(1))
    assert one == ["10 23:00+0100", "10 23:30+0100", "11 00:00+0100", "11 00:30+0100"]
    weekly = Hours(
        [Block(PROVIDERS[0], PLACES[0], LONDON, time(23), time(1), weekday=2, slot_minutes=30)],
        closures=[Closure(date(2026, 6, 11))],
    )
    assert len(free_slots(weekly, Demand(30), Taken(), date(2026, 6, 10), date(2026, 6, 10), now=LONG_AGO)) == 4
    assert free_slots(weekly, Demand(30), Taken(), date(2026, 6, 11), date(2026, 6, 11), now=LONG_AGO) == []


def test_a_night_shift_over_the_change_in_autumn() -> None:
    slots = found(LONDON, date(2026, 10, 24), time(22), time(3), minutes=60)
    assert slots == ["24 22:00+0100", "24 23:00+0100", "25 00:00+0100", "25 01:00+0100", "25 02:00+0000"]


def test_fourteen_hours_ahead_of_utc() -> None:
    assert found(KIRITIMATI, date(2026, 1, 1), time(8), time(9)) == ["01 08:00+1400", "01 08:30+1400"]
    hours = Hours([Block(PROVIDERS[0], PLACES[0], KIRITIMATI, time(8), time(9), slot_minutes=30)])
    first = free_slots(hours, Demand(30), Taken(), date(2026, 1, 1), date(2026, 1, 1), now=LONG_AGO)[0]
    assert first.start.astimezone(UTC) == datetime(2025, 12, 31, 18, tzinfo=UTC)
