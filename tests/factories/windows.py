"""How many hits a stretch of time holds, wherever it begins."""

from collections.abc import Sequence


def most_in_any(stamps: Sequence[int], span: int) -> int:
    """The most of `stamps` (in order) that lie in any half-open stretch `(t, t + span]`."""
    most = first = 0
    for last, stamp in enumerate(stamps):
        while stamps[first] <= stamp - span:
            first += 1
        most = max(most, last - first + 1)
    return most
