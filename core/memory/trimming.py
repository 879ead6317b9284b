"""What a process can do without: its parts name it, whoever is short of memory has it trimmed."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trimmer:
    """`size` returns bytes that are held now; `trim` gives up most of them. Both may be called from any thread."""

    size: Callable[[], int]
    trim: Callable[[], None]


_trimmers: dict[str, Trimmer] = {}


def add_trimmer(name: str, size: Callable[[], int], trim: Callable[[], None]) -> None:
    """One for each name."""
    _trimmers[name] = Trimmer(size, trim)


def sizes() -> dict[str, int]:
    """Name -> bytes."""
    return {name: one.size() for name, one in _trimmers.items()}


def trim_all() -> int:
    """Returns the bytes that were given up."""
    before = sum(sizes().values())
    for one in _trimmers.values():
        one.trim()
    return max(0, before - sum(sizes().values()))
