"""Reading from a streaming replica (DATABASE_REPLICA_URL), without anybody missing what they have just written.

A position in the primary's log stands for all that was committed before it. Whoever wrote carries the position of that write,
and is served from the replica once it has replayed it. A replica that lags more than `LAG` seconds, or is away, serves nobody.
"""

import logging
import re
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from uuid import UUID

from django.db import Error, connections

from core.database.breaker import DatabaseAway

logger = logging.getLogger(__name__)

ALIAS = "replica"
COOKIE, HEADER = "hms_position", "X-HMS-Position"
LAG = 10.0  # seconds that the replica may be behind
REMEMBERED = 2 * LAG  # seconds that a person's position matters: after that a replica that is in use has replayed it
SAMPLED, REPLAYED = 1.0, 0.02  # seconds that what the primary, and what the replica said, is taken for the present
PEOPLE = 10_000  # positions of so many people are kept
POSITION = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}")
UNKNOWN = "FFFFFFFF/FFFFFFFF"  # beyond any: its owner stays on the primary
PRIMARY = "SELECT pg_current_wal_insert_lsn()::text"
REPLICA = "SELECT pg_last_wal_replay_lsn()::text WHERE pg_is_in_recovery()"


def number(position: str) -> int:
    """A position to compare; 0 for what is none."""
    if not POSITION.fullmatch(position):
        return 0
    high, _, low = position.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


@dataclass(slots=True)
class Lag:
    """What this process knows of primary and replica; positions as numbers, times monotonic."""

    replayed: int = 0
    asked_replica: float = float("-inf")
    refused_until: float = float("-inf")


class Replica:
    """May a reader be served from it? At most one statement on the primary a second, and one on the replica every 20 ms."""

    def __init__(self) -> None:
        self._lock, self._sampling = threading.Lock(), threading.Lock()
        self._lag = Lag()
        self._samples: deque[tuple[float, int]] = deque(maxlen=int(LAG / SAMPLED) + 2)
        self._people: OrderedDict[UUID, tuple[float, int]] = OrderedDict()

    def serves(self, position: int) -> bool:
        """Has the replica replayed `position`, and lags less than LAG? Never raises for a replica that is away."""
        now = time.monotonic()
        lag = self._lag
        if now < lag.refused_until:
            return False
        self._sample(now)
        if now - lag.asked_replica > REPLAYED or position > lag.replayed:
            try:
                lag.replayed, lag.asked_replica = _ask(ALIAS, REPLICA), now
            except Error as error:
                if not isinstance(error.__cause__, DatabaseAway):  # that one the breaker has told
                    logger.warning("The replica is away (%s); the primary serves.", type(error.__cause__ or error).__name__)
                lag.refused_until = now + SAMPLED
                return False
        return position <= lag.replayed and self._seconds_behind(now) <= LAG

    def _sample(self, now: float) -> None:
        """Note where the primary is; one thread does, the others go by the samples there are."""
        if (self._samples and now - self._samples[-1][0] < SAMPLED) or not self._sampling.acquire(blocking=False):
            return
        try:
            self._samples.append((now, _ask("default", PRIMARY)))
        except Error as error:  # whoever needs the primary is told; a reader may not need it
            logger.warning("Where the log stands is unknown (%s).", type(error.__cause__ or error).__name__)
        finally:
            self._sampling.release()

    def _seconds_behind(self, now: float) -> float:
        """The age of the newest position of the primary that the replica has replayed."""
        return min((now - at for at, position in list(self._samples) if position <= self._lag.replayed), default=float("inf"))

    # --- Who wrote what -----------------------------------------------------------------------------------------------------
    def wrote(self, user_id: UUID | None) -> str:
        """Somebody's unit has committed: the position that covers it. One statement on the primary."""
        try:
            position = _text("default", PRIMARY)
        except Error as error:
            logger.warning("Where the log stands is unknown (%s); the writer stays on the primary.", type(error).__name__)
            position = UNKNOWN
        if user_id is not None:
            with self._lock:
                self._people[user_id] = time.monotonic(), number(position)
                self._people.move_to_end(user_id)
                while len(self._people) > PEOPLE:
                    self._people.popitem(last=False)
        return position

    def position_of(self, user_id: UUID | None, said: str) -> int:
        """What this person must see: what the request says, and what they wrote through this process."""
        at, position = self._people.get(user_id, (0.0, 0)) if user_id is not None else (0.0, 0)
        own = position if time.monotonic() - at < REMEMBERED else 0
        return max(own, number(said))


def _ask(alias: str, question: str) -> int:
    return number(_text(alias, question))


def _text(alias: str, question: str) -> str:
    """The answer; empty when there is no row (a replica that has been promoted is none)."""
    with connections[alias].cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
        return str(row[0]) if row else ""


replica = Replica()
