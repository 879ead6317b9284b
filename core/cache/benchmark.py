"""What a hit costs: for `manage.py benchmark`; alone: `manage.py shell -c "from core.cache.benchmark import main; main()"`."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from uuid import uuid4

from core.cache import Key, Tag, cache
from core.cache.process import memory, shared
from core.listening import listener
from core.tenancy.models import Clinic

SECONDS_TO_START = 5


def microseconds(call: Callable[[], object], count: int = 5000) -> tuple[float, float]:
    """p50 and p99 of one call, each measured by itself."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1e6)
    taken.sort()
    return taken[count // 2], taken[count * 99 // 100]


def measured() -> dict[str, tuple[float, float]]:
    """Name -> p50 and p99 in microseconds, in this process, which listens while it measures. With Redis also its level."""
    ident = uuid4()

    def hit() -> object:
        return cache.get_or_set(
            Key("benchmark", ident), tags=lambda: [Tag("clinic", ident), Tag.all(Clinic)], load=lambda: "x" * 1000
        )

    def from_redis() -> object:
        memory.clear()
        return hit()

    found = {}
    with ExitStack() as stack:
        listener.start()
        stack.callback(listener.stop)
        until = time.monotonic() + SECONDS_TO_START
        while not (listener.stamp() and (shared is None or shared.membership.is_member)) and time.monotonic() < until:
            time.sleep(0.01)
        if shared is not None:
            found["hit in memory, generations in Redis"] = microseconds(hit)
            found["hit in Redis"] = microseconds(from_redis)
            cache.shared = None
            stack.callback(setattr, cache, "shared", shared)
        found["hit in memory, without Redis"] = microseconds(hit)
    return found


def main() -> None:
    for name, (p50, p99) in measured().items():
        sys.stdout.write(f"{name}: p50 {p50:.1f} us, p99 {p99:.1f} us\n")
