"""The hub of a process: reads a clinic's new events once, and offers them to all streams of that clinic.

It belongs to the server's loop; what asks the database runs in threads. A notice only wakes it: it tells nothing that was not read
from the outbox, in the order of positions, so a notice that was missed costs time at most.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

from django.db import Error

from core.errors import NotAuthenticated
from core.realtime.figures import Figures
from core.realtime.grants import Grant, renewed
from core.realtime.reading import Told, events_from, in_thread, newest_of
from core.realtime.subscribers import Subscriber

logger = logging.getLogger(__name__)

AT_ONCE = 500  # events of one read, and as many as a stream that comes back is told; more, and it has to look anew
PAUSES = (0.1, 0.5, 1.0, 2.0)  # seconds between tries while the database is away
TICK = 0.25  # seconds after which a server that stops is noticed
CHECKED_EVERY = 10.0  # seconds between two looks at whether streams may stay open

UNASKED_AT_MOST = 6  # looks in a row
RESTART, SESSION, TIME, AWAY = "restart", "session", "time", "away"  # why a stream ends


class Unasked(Enum):
    """Nobody could be asked."""

    UNASKED = "unasked"


UNASKED = Unasked.UNASKED


@dataclass(slots=True, eq=False)
class Room:
    """A clinic's streams in this process. `seen`: everything up to this position was offered to them."""

    clinic_id: UUID
    seen: int = 0
    is_behind: bool = False
    subscribers: set[Subscriber] = field(default_factory=set)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    reading: "asyncio.Task[None] | None" = None


class Hub:
    """`stopping` says whether the server is about to end."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.stopping: Callable[[], bool] = lambda: False
        self.loop: asyncio.AbstractEventLoop | None = None
        self.rooms: dict[UUID, Room] = {}
        self.ended = asyncio.Event()  # nobody who has not joined yet will
        self._ticking: asyncio.Task[None] | None = None

    # --- Joining and leaving ------------------------------------------------------------------------------------------------
    async def join(self, subscriber: Subscriber, *, after: int | None = None) -> None:
        """From now on it is offered what happens; with `after`, everything since that position first. One query, or two, or none.

        Raises what the database raises.
        """
        room = await self._room(subscriber.grant.clinic_id)
        subscriber.position = room.seen
        room.subscribers.add(subscriber)
        self.figures.opened += 1
        if after is not None:
            try:
                await self.catch_up(subscriber, after, subscriber.position, subscriber.channels)
            except BaseException:
                self.leave(subscriber)
                raise

    async def catch_up(self, subscriber: Subscriber, after: int, until: int, channels: frozenset[str]) -> None:
        """Offer what happened on these channels after one position until another one; or have it look anew: too much, or `after` is
        not known. Who comes from another process may know more than this one does yet: it is told nothing twice.
        """
        if after == until:
            return
        found = await in_thread(events_from, subscriber.grant.clinic_id, after, AT_ONCE + 2)
        if after > until and found and found[0].position == after:
            subscriber.position = max(subscriber.position, after)
            return
        missed = missed_of(found, after, until)
        if missed is None:
            subscriber.look_anew()
        else:
            subscriber.offer_earlier(missed, channels)

    def leave(self, subscriber: Subscriber) -> None:
        room = self.rooms.get(subscriber.grant.clinic_id)
        if room is not None:
            room.subscribers.discard(subscriber)
            if not room.subscribers:
                del self.rooms[room.clinic_id]

    async def _room(self, clinic_id: UUID) -> Room:
        """The clinic's room, which knows where its events stand. Nothing is awaited between that and its caller."""
        self.begin()
        while (room := self.rooms.get(clinic_id)) is None or not room.opened.is_set():
            if room is not None:
                await room.opened.wait()
                continue
            room = self.rooms[clinic_id] = Room(clinic_id)
            try:
                room.seen = await in_thread(newest_of, clinic_id)
            except BaseException:
                self.rooms.pop(clinic_id, None)
                raise
            finally:
                room.opened.set()
            if room.is_behind:
                self._read(room)
            return room
        return room

    # --- What happens -------------------------------------------------------------------------------------------------------
    def wake(self, clinic_id: UUID, position: int) -> None:
        """There is an event of the clinic at this position. One that has been offered already is no news."""
        room = self.rooms.get(clinic_id)
        if room is not None and room.seen < position:
            self._read(room)

    def wake_all(self) -> None:
        """Notices may have been missed."""
        for room in self.rooms.values():
            self._read(room)

    def _read(self, room: Room) -> None:
        room.is_behind = True
        if room.opened.is_set() and (room.reading is None or room.reading.done()):
            room.reading = asyncio.ensure_future(self._catch_up(room))

    async def _catch_up(self, room: Room) -> None:
        failures = 0
        while room.is_behind and self.rooms.get(room.clinic_id) is room:
            room.is_behind = False
            self.figures.reads += 1
            try:
                found = await in_thread(events_from, room.clinic_id, room.seen + 1, AT_ONCE)
            except Exception as error:
                if not failures:
                    away = isinstance(error, Error | OSError)
                    logger.warning("Events could not be read (%s); the streams wait.", type(error).__name__, exc_info=not away)
                self.figures.read_failures += 1
                room.is_behind = True
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
                continue
            failures = 0
            for told in found:
                self._offer(room, told)
            if len(found) == AT_ONCE:
                room.is_behind = True

    def _offer(self, room: Room, told: Told) -> None:
        room.seen = told.position
        for subscriber in room.subscribers:
            self.figures.dropped += subscriber.offer(told)
        self.figures.note_lag(max(0.0, time.time() - told.at.timestamp()))

    # --- Who has to go --------------------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """In the server's loop, before anything else; as often as one likes."""
        if self._ticking is None or self._ticking.done():
            self.loop = asyncio.get_running_loop()
            self._ticking = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        looked, checking = time.monotonic(), None
        while True:
            await asyncio.sleep(TICK)
            if self.stopping():
                self.ended.set()
                self.end_all(RESTART)
            elif time.monotonic() - looked >= CHECKED_EVERY and (checking is None or checking.done()):
                looked = time.monotonic()
                checking = asyncio.ensure_future(self.check())

    def end_all(self, why: str) -> None:
        for room in self.rooms.values():
            for subscriber in room.subscribers:
                subscriber.end(why)

    async def check(self) -> None:
        """End the streams whose session, token or key is over; the others learn what their person may do now.

        Where nobody can be asked for a while, they end as well: they may come back as soon as somebody can.
        """
        streams = [one for room in self.rooms.values() for one in room.subscribers]
        if not streams:
            return
        grants = await in_thread(_renewed, {one.grant for one in streams})
        for one in streams:
            grant = grants[one.grant]
            one.unasked = one.unasked + 1 if grant is UNASKED else 0
            if grant is None:
                one.end(SESSION)
            elif one.unasked >= UNASKED_AT_MOST:
                one.end(AWAY)
            elif isinstance(grant, Grant):
                one.grant = grant


def missed_of(found: list[Told], after: int, until: int) -> list[Told] | None:
    """Of the clinic's events from `after` on those up to `until`; None when they are too many, or `after` is none of them."""
    missed = [one for one in found if after < one.position <= until]
    known = after == 0 or (bool(found) and found[0].position == after)
    return missed if known and after <= until and len(missed) <= AT_ONCE else None


def _renewed(grants: set[Grant]) -> dict[Grant, Grant | Unasked | None]:
    return {grant: _asked(grant) for grant in grants}


def _asked(grant: Grant) -> Grant | Unasked | None:
    try:
        return renewed(grant)
    except NotAuthenticated:
        return None
    except (Error, OSError):
        return UNASKED
    except Exception:
        logger.exception("Whether a stream may stay open could not be asked.")
        return UNASKED


hub = Hub()  # this process's
