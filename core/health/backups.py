"""How old the newest backup is. Whoever makes backups says so here; until somebody does, nothing is known."""

from collections.abc import Callable
from datetime import datetime

type LastBackup = Callable[[], datetime | None]


def _nobody() -> datetime | None:
    return None


_source: LastBackup | None = None


def backups_are_known_by(source: LastBackup) -> None:
    """`source` says when the newest complete backup ended (aware), or None if there is none. It is asked once a minute."""
    global _source
    _source = source


def somebody_makes_backups() -> bool:
    return _source is not None


def last_backup() -> datetime | None:
    """When the newest complete backup ended (aware); None if there is none, or nobody knows."""
    return (_source or _nobody)()
