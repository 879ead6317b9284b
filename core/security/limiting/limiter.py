"""The limiter of this process: Redis counts for all; while it doesn't answer, each process allows its share."""

from collections.abc import Sequence

from django.conf import settings

from core.redis import RedisLink, link
from core.security.limiting.memory_log import MemoryLog
from core.security.limiting.rates import shares_of
from core.security.limiting.verdicts import Demand, Standing


class Limiter:
    """`processes`: among how many a limit is shared without Redis."""

    def __init__(self, link: RedisLink | None, memory: MemoryLog, *, processes: int) -> None:
        self.link = link
        self.memory = memory
        self.processes = processes

    def take(self, demands: Sequence[Demand], *, hit: bool = True) -> list[Standing]:
        """Count one hit for every key, or refuse it for all: then at least one standing says so. One round trip to Redis.

        Without `hit` nothing is counted: the standings are only looked at.
        """
        if self.link is not None:
            with self.link.using() as client:
                if client is not None:
                    from core.security.limiting import redis_log  # brings Redis's client, which costs memory

                    return redis_log.take(client, demands, hit=hit)
        return self.memory.take([Demand(one.name, shares_of(one.rate, self.processes)) for one in demands], hit=hit)


limiter = Limiter(link, MemoryLog(), processes=max(1, settings.HMS_RATE_PROCESSES) if settings.HMS_PROCESS == "web" else 1)
