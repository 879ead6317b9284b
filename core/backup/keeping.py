"""Names of backups, and which of them are kept: the newest of each of the last days, weeks and months."""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

NAME = re.compile(r"hms-(\d{8}T\d{6}Z)-[0-9a-f]{8}\.backup")
STAMP = "%Y%m%dT%H%M%SZ"
PERIODS: tuple[Callable[[datetime], object], ...] = (
    lambda at: at.date(),
    lambda at: at.isocalendar()[:2],
    lambda at: (at.year, at.month),
)


@dataclass(frozen=True, slots=True)
class Keep:
    """Of how many days, weeks and months the newest backup is kept. Periods without any don't count."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def keep_of(text: str) -> Keep:
    """`7,4,12`. Raises ValueError."""
    daily, weekly, monthly = (int(part) for part in text.split(","))
    if daily < 1 or weekly < 0 or monthly < 0:
        raise ValueError("At least one day, and no number below 0.")
    return Keep(daily, weekly, monthly)


def name_at(moment: datetime) -> str:
    """A name for the backup of that moment. No other backup has it, also of the same second."""
    return f"hms-{moment.astimezone(UTC):{STAMP}}-{secrets.token_hex(4)}.backup"


def moment_of(name: str) -> datetime | None:
    """When the backup of that name was begun; None for what has no name of a backup."""
    match = NAME.fullmatch(name)
    return datetime.strptime(match[1], STAMP).replace(tzinfo=UTC) if match else None


def outdated(names: Iterable[str], keep: Keep) -> list[str]:
    """Those that may go, the oldest first. Never the newest one, never what isn't named like a backup. Days are UTC's."""
    dated = sorted(((at, name) for name in names if (at := moment_of(name))), reverse=True)
    kept: set[str] = set()
    for period, number in zip(PERIODS, (keep.daily, keep.weekly, keep.monthly), strict=True):
        newest: dict[object, str] = {}
        for at, name in dated:
            newest.setdefault(period(at), name)
        kept.update(list(newest.values())[:number])
    return [name for _at, name in reversed(dated) if name not in kept]
