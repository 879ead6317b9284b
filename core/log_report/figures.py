"""Counting with bounded memory: spreads of milliseconds, and tallies that stop telling apart when there is too much."""

import heapq
import math
from collections.abc import Iterator
from typing import Any

GROWTH = 1.05  # each bucket is so much wider than the one before: percentiles are off by 2.5 % at most
SMALLEST, BUCKETS = 0.1, 400  # milliseconds; the last bucket takes all above some eight hours
OTHERS = "(others)"


class Spread:
    """Of a number of durations in milliseconds. Some 400 numbers, however many there are."""

    __slots__ = ("_buckets", "count", "highest", "total")

    def __init__(self) -> None:
        self.count, self.total, self.highest = 0, 0.0, 0.0
        self._buckets: dict[int, int] = {}

    def add(self, milliseconds: float) -> None:
        self.count += 1
        self.total += milliseconds
        self.highest = max(self.highest, milliseconds)
        bucket = int(math.log(milliseconds / SMALLEST, GROWTH)) + 1 if milliseconds > SMALLEST else 0
        bucket = min(bucket, BUCKETS)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def percentile(self, part: float) -> float:
        """Such as 0.95; 0 without durations, and never above the highest."""
        wanted, seen = math.ceil(self.count * part), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                middle: float = SMALLEST * GROWTH ** (bucket - 0.5)
                return round(min(middle, self.highest), 1)
        return 0.0

    def as_json(self) -> dict[str, float]:
        return {
            "count": self.count,
            "p50": self.percentile(0.5),
            "p95": self.percentile(0.95),
            "max": round(self.highest, 1),
            "total": round(self.total),
        }


class Kept[T]:
    """What is known by a key, for so many keys at most; all further ones share one entry."""

    def __init__(self, make: type[T], most: int) -> None:
        self._make, self._most = make, most
        self._known: dict[str, T] = {}

    def of(self, key: str) -> T:
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= self._most:
                key = OTHERS
            found = self._known.setdefault(key, self._make())
        return found

    def items(self) -> Iterator[tuple[str, T]]:
        yield from self._known.items()


class Slowest:
    """The so many slowest requests, the slowest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._number = 0
        self._heap: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, milliseconds: float, told: dict[str, Any]) -> None:
        if len(self._heap) == self._most and milliseconds <= self._heap[0][0]:
            return
        self._number += 1  # dicts can't be put in order
        push = heapq.heappush if len(self._heap) < self._most else heapq.heapreplace
        push(self._heap, (milliseconds, self._number, told))

    def as_json(self) -> list[dict[str, Any]]:
        return [told for _, _, told in sorted(self._heap, key=lambda one: (-one[0], one[1]))]
