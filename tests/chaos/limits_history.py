"""Processes with a limiter of their own on one key: `python -m tests.chaos.limits_history PORT SECONDS`, JSON out."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import redis

from core.redis import RedisLink
from core.security.limiting.limiter import Limiter
from core.security.limiting.memory_log import MemoryLog, microseconds
from core.security.limiting.rates import MICROSECONDS, Window
from core.security.limiting.verdicts import Demand
from tests.factories.hammer import PROCESSES, run

WINDOW = Window(80, MICROSECONDS)
SHARE = WINDOW.limit // PROCESSES
PATIENCE = 0.2  # seconds for an answer


@dataclass
class Report:
    """One process. Redis's hits by Redis's clock, its own by the machine's; when Redis was asked and said nothing."""

    by_redis: list[int] = field(default_factory=list)
    by_itself: list[int] = field(default_factory=list)
    in_vain: list[float] = field(default_factory=list)
    longest: float = 0.0  # seconds of one call
    asked: int = 0


def hammer(port: int, seconds: float) -> dict[str, Any]:
    """One process's report."""
    report, replies, ticks = Report(), [], []
    client: Any = redis.Redis(port=port, protocol=2, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)

    def recorded(call: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any) -> Any:
            try:
                replies.append(call(*args))
            except (redis.ConnectionError, redis.TimeoutError):
                report.in_vain.append(time.monotonic())
                raise
            return replies[-1]

        return ask

    def clock() -> int:
        ticks.append(microseconds())
        return ticks[-1]

    client.evalsha, client.eval = recorded(client.evalsha), recorded(client.eval)
    limiter = Limiter(RedisLink(lambda: client), MemoryLog(clock), processes=PROCESSES)
    demand = [Demand("hammered", (WINDOW,))]
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        replies.clear()
        ticks.clear()
        refused = limiter.take(demand)[0].refused
        report.longest = max(report.longest, time.monotonic() - now)
        report.asked += 1
        if not refused and ticks:
            report.by_itself.append(ticks[-1])
        elif not refused:
            report.by_redis.append(replies[-1][0])
    return asdict(report)


if __name__ == "__main__":
    run(hammer)
