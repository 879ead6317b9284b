"""Figures that stand in the database: asked for when somebody reads the metrics, and kept for a while in the process."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.health.watched import Watched

LIMIT = 2.0  # seconds that a reader of the metrics waits for a source
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One gauge. `values` by the values of its labels, which come from a list in code: never from what people write."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    values: dict[tuple[str, ...], float] = field(default_factory=dict)


type Ask = Callable[[], list[Figure]]
_sources: dict[str, Watched[list[Figure]]] = {}


def add_source(name: str, ask: Ask, *, kept: float = MINUTE, limit: float = LIMIT) -> None:
    """`ask` runs in a thread of its own, outside of any scope, at most once in `kept` seconds of a process that is read."""
    _sources[name] = Watched(f"figures-{name}", ask, limit=limit, kept=kept)


def sources() -> dict[str, Watched[list[Figure]]]:
    """By name."""
    return _sources
