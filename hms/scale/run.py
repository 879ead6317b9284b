"""Everything that one run of the benchmark found, as it is kept and compared."""

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

from hms.scale.figures import Figures
from hms.scale.in_process import Measured

NOTICED = 0.15  # a change of p50 by less is not worth a line


@dataclass(slots=True)
class Run:
    """`operations` by name; `http` by scenario; `growth`: p50 at this size against the small one; `costs`: us and their limits."""

    database: str
    contents: str = ""
    at: str = ""
    operations: dict[str, Measured] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    plain: Figures | None = None
    http: dict[str, Figures] = field(default_factory=dict)
    pages: dict[str, tuple[Figures, Figures]] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)
    costs: dict[str, tuple[float, float]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "database": self.database, "contents": self.contents, "at": self.at, "machine": machine(),
            "operations": {name: _measured(one) for name, one in self.operations.items()},
            "growth": {name: round(ratio, 3) for name, ratio in self.growth.items()},
            "plain": self.plain.as_json() if self.plain else None,
            "http": {name: one.as_json() for name, one in self.http.items()},
            "pages": {path: {"first": first.as_json(), "last": last.as_json()} for path, (first, last) in self.pages.items()},
            "memory_mb": {str(count): round(size, 1) for count, size in self.memory.items()},
            "costs_us": {name: round(found, 2) for name, (found, _) in self.costs.items()},
        }  # fmt: skip


def plain_beside(run: Run, figures: Figures | None) -> float:
    """The yardstick's answers a second that these figures are compared with: taken in the same seconds, or else once."""
    beside = figures.plain_per_second if figures else 0.0
    return beside or (run.plain.per_second if run.plain else 0.0)


def _measured(one: Measured) -> dict[str, Any]:
    found = {"cold": one.cold.as_json(), "warm": one.warm.as_json()}
    return found | ({"floor": one.floor.as_json()} if one.floor else {})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> str:
    """Processors, memory, Python and Django; PostgreSQL stands with the contents of the database."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, Python {platform.python_version()}, Django {django.__version__}"
    )


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def compared(now: dict[str, Any], before: dict[str, Any]) -> list[tuple[str, float, float, float]]:
    """What differs by more than NOTICED: name, p50 before, p50 now, the ratio; worst first."""
    old, new = _medians(before), _medians(now)
    rows = [(name, old[name], new[name], new[name] / old[name]) for name in new if old.get(name)]
    return sorted((row for row in rows if abs(row[3] - 1) > NOTICED), key=lambda row: -row[3])


def _medians(run: dict[str, Any]) -> dict[str, float]:
    found = {name: one["warm"].get("p50", 0.0) for name, one in run["operations"].items()}
    return found | {name: one.get("p50", 0.0) for name, one in run["http"].items()}
