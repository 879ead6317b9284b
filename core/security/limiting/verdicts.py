"""What is asked of a limiter, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.security.limiting.rates import MICROSECONDS, Rate


@dataclass(frozen=True, slots=True)
class Demand:
    """One hit for one key. `name` says nothing of whose key it is."""

    name: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Standing:
    """How one window stands once the hit is counted, or refused. `wait` is in microseconds: until its next place is free."""

    limit: int
    remaining: int
    wait: int
    refused: bool = False

    @property
    def seconds(self) -> int:
        """The wait, rounded up: after so many seconds there is a place more."""
        return max(1, -(-self.wait // MICROSECONDS))


def tightest(standings: Sequence[Standing]) -> Standing:
    """The window that will be, or was, the first to refuse; of several the one that lets in last."""
    return min(standings, key=lambda one: (not one.refused, one.remaining, -one.wait))


def standing_of(limit: int, span: int, used: int, oldest: int, now: int, *, taken: bool) -> Standing:
    """A window in which `used` hits were counted before this one, the `oldest` of them at that time."""
    wait = oldest + span - now if used else span
    return Standing(limit, max(0, limit - used - taken), wait, refused=used >= limit)
