"""One open stream, as the hub sees it: a bounded queue of what it has still to be told."""

import asyncio
from collections import deque
from collections.abc import Callable

from core.realtime.grants import Grant, may_read
from core.realtime.reading import Told

MOST = 200  # events that wait for a slow reader; then it is told to look anew
LAST_WORDS = 1.0  # seconds that a stream which has to end may take for it


class Subscriber:
    """Belongs to the loop: nothing of it may be called from another thread.

    `position` is that of the last event it was offered, also of one it may not see. `ending` says why it has to end, "" while it
    needn't. `cut` is called when it has not ended in time.
    """

    def __init__(self, grant: Grant, channels: frozenset[str] = frozenset()) -> None:
        self.grant = grant
        self.channels = channels
        self.position = 0
        self.ending = ""
        self.cut: Callable[[], object] = lambda: None
        self.in_order = asyncio.Lock()
        self._queue: deque[Told] = deque()
        self._lost_until: int | None = None
        self._something = asyncio.Event()
        self.unasked = 0  # looks in a row at which nobody could be asked whether it may stay open

    def may_see(self, told: Told) -> bool:
        if told.event is None or told.event.channel.name not in self.channels:
            return False
        own = self.grant.actor.location_ids
        if own and told.places and not any(str(one) in told.places for one in own):
            return False
        return may_read(self.grant.actor, told.event.channel)

    def offer(self, told: Told) -> int:
        """Take it along if it is news and may be seen. How many events were lost by it: 0 for a reader that keeps up."""
        if told.position <= self.position:
            return 0
        self.position = told.position
        if not self.may_see(told):
            return 0
        lost = 0
        if len(self._queue) >= MOST:
            lost = len(self._queue) + 1
            self.look_anew()
        else:
            self._queue.append(told)
        self._something.set()
        return lost

    def offer_earlier(self, earlier: list[Told], channels: frozenset[str]) -> None:
        """What it missed on these channels before it heard them: in front of all that came meanwhile."""
        if self._lost_until is not None:
            return
        missed = [one for one in earlier if self.may_see(one) and one.event and one.event.channel.name in channels]
        self._queue.extendleft(reversed(missed))
        self._something.set()

    def look_anew(self) -> None:
        """It can't be told everything up to here: it will be told to ask for what it shows."""
        self._queue.clear()
        self._lost_until = self.position
        self._something.set()

    def end(self, why: str) -> None:
        """Have the stream say goodbye; if it doesn't within LAST_WORDS (its reader reads nothing), cut it."""
        if not self.ending:
            self.ending = why
            self._something.set()
            asyncio.get_running_loop().call_later(LAST_WORDS, lambda: self.cut())

    async def take(self, seconds: float) -> tuple[int | None, list[Told]]:
        """Up to which position it has to look anew, if so, and what came after that; nothing when so many seconds pass."""
        if not self._something.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._something.wait()
            except TimeoutError:
                pass
        async with self.in_order:
            self._something.clear()
            came, lost_until = list(self._queue), self._lost_until
            self._queue.clear()
            self._lost_until = None
            return lost_until, came
