"""What counting one request costs: for `manage.py benchmark`."""

from uuid import uuid4

from core.cache.benchmark import microseconds
from core.redis import link
from core.security.limiting.memory_log import MemoryLog
from core.security.limiting.rates import rate_of
from core.security.limiting.verdicts import Demand


def measured() -> dict[str, tuple[float, float]]:
    """Name -> p50 and p99 in microseconds: a person whose window is full half the time, then the same in Redis, if there is one."""
    demands, log = [Demand(f"benchmark {uuid4()}", rate_of("2500/m"))], MemoryLog()
    found = {"counted in memory": microseconds(lambda: log.take(demands))}
    if link is not None:
        with link.using() as client:
            if client is not None:
                from core.security.limiting import redis_log

                found["counted in Redis"] = microseconds(lambda: redis_log.take(client, demands))
                client.delete(demands[0].name)
    return found
