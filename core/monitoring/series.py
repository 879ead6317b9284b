"""Which figures are kept, by name; what one of them adds up to; and what is made of several of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MINUTE, QUARTER = 1, 15  # resolutions, in minutes
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds; core.metrics counts requests by them
WITHIN = "requests_within:"  # and a bound: requests that took no longer than it and longer than the one before
BEYOND = f"{WITHIN}inf"


class Adds(StrEnum):
    """How a figure adds up. `SUM`: what happened in the minute, on all servers together. `MEAN`: what was true in it."""

    SUM = "sum"
    MEAN = "mean"


def within(bound: float) -> str:
    return f"{WITHIN}{bound:g}"


SERIES: dict[str, Adds] = {
    **dict.fromkeys(
        ("requests", "errors", "limited", "statements", "database_seconds", "cache_hits", "cache_reads", "repeating_requests"),
        Adds.SUM,
    ),
    **dict.fromkeys((within(bound) for bound in BOUNDS), Adds.SUM),
    BEYOND: Adds.SUM,
    **dict.fromkeys(
        (
            *("cpu_percent", "memory_percent", "disk_percent", "resident_bytes"),
            *("pool_in_use", "pool_waiting", "streams", "jobs_waiting", "jobs_oldest_seconds", "jobs_dead"),
            *("messages_waiting", "messages_oldest_seconds", "database_bytes", "sessions", "people_active"),
        ),
        Adds.MEAN,
    ),
}


@dataclass(frozen=True, slots=True)
class Value:
    """What was seen of one series: how often, added up, the lowest and the highest."""

    count: int
    total: float
    low: float
    high: float

    @classmethod
    def of(cls, seen: float) -> "Value":
        seen = float(seen)
        return cls(1, seen, seen, seen)

    def __add__(self, other: "Value") -> "Value":
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Value(self.count + other.count, self.total + other.total, low, high)

    @property
    def mean(self) -> float:
        return self.total / self.count


type Minute = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Sampled:
    """The figures of one minute, which begins at `moment`. What could not be read is left out."""

    moment: datetime
    values: Minute


def added(minutes: Iterable[Minute]) -> dict[str, Value]:
    """All of them together."""
    found: dict[str, Value] = {}
    for minute in minutes:
        for name, value in minute.items():
            found[name] = found[name] + value if name in found else value
    return found


def counted(values: Minute, name: str) -> float:
    """The sum of what is counted; 0 without any."""
    return values[name].total if name in values else 0.0


def percent(values: Minute, part: str, whole: str) -> float | None:
    """None where there is nothing to take a part of."""
    of = counted(values, whole)
    return 100 * counted(values, part) / of if of else None


def quantile(values: Minute, share: float) -> float | None:
    """Seconds within which that share of the requests was answered, interpolated between the bounds; beyond the last it is the
    last. None without requests. Servers and minutes add up exactly, because counts are kept and not quantiles."""
    counts = [counted(values, within(bound)) for bound in BOUNDS] + [counted(values, BEYOND)]
    wanted = share * sum(counts)
    if not wanted:
        return None
    passed, lower = 0.0, 0.0
    for bound, count in zip(BOUNDS, counts, strict=False):
        if count and passed + count >= wanted:
            return lower + (bound - lower) * (wanted - passed) / count
        passed, lower = passed + count, bound
    return float(BOUNDS[-1])


def told_as(name: str, value: Value, minutes: int) -> float:
    """A value of so many minutes as people are shown it: what is counted by the minute, what was true on average."""
    return value.total / minutes if SERIES[name] is Adds.SUM else value.mean


def newest(minutes: Sequence[Sampled], count: int, now: datetime) -> list[Minute] | None:
    """The last `count` minutes without a gap up to now; None where some are missing."""
    last = list(minutes)[-count:]
    if len(last) < count or (now - last[0].moment).total_seconds() > 60 * (count + 2):
        return None
    return [one.values for one in last]
