"""Times of many calls, and what is said of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value that this share (0 to 1) of them does not exceed; 0 for none."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


@dataclass(slots=True)
class Figures:
    """Milliseconds of many calls of one kind. `statements` and `rows` are of one call: the median, and the most of them.

    `plain_per_second`: what the yardstick answered in the same seconds; 0 where it did not.
    """

    count: int
    p50: float
    p99: float
    statements: int = 0
    most_statements: int = 0
    rows: int = 0
    database_p50: float = 0.0
    database_p99: float = 0.0
    per_second: float = 0.0
    plain_per_second: float = 0.0
    bytes: int = 0
    statuses: dict[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items() if value}


def figures_of(times: Sequence[float], **more: Any) -> Figures:
    """`times` in milliseconds, in any order."""
    ordered = sorted(times)
    return Figures(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), **more)


def middle(values: Sequence[int]) -> int:
    return int(percentile(sorted(values), 0.5))
