"""How old the newest backup is, and whether the last drill could restore one: for health, metrics and alerts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from core.backup.models import BackupRun


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The newest that succeeded. `taken_at`: what was committed before is in it. `size` in bytes."""

    name: str
    taken_at: datetime
    finished_at: datetime
    size: int
    rows: int
    documents: int

    @property
    def age(self) -> timedelta:
        """What would be lost now."""
        return timezone.now() - self.taken_at


@dataclass(frozen=True, slots=True)
class LastDrill:
    """The newest, also one that failed; `cause` then says why. `recovery_point`: what would have been lost when the drill began,
    None when it found no backup. `recovery_time`: how long restoring and verifying took."""

    succeeded: bool
    name: str
    finished_at: datetime
    recovery_point: timedelta | None
    recovery_time: timedelta
    cause: str


def last_backup() -> LastBackup | None:
    """None before the first one. One query."""
    run = BackupRun.objects.filter(kind=BackupRun.Kind.BACKUP, succeeded=True, taken_at__isnull=False).first()
    if run is None or run.taken_at is None:
        return None
    return LastBackup(run.name, run.taken_at, run.finished_at, run.size, run.rows, run.documents)


def last_drill() -> LastDrill | None:
    """None before the first one. One query."""
    run = BackupRun.objects.filter(kind=BackupRun.Kind.DRILL).first()
    if run is None:
        return None
    point = run.started_at - run.taken_at if run.taken_at else None
    return LastDrill(run.succeeded, run.name, run.finished_at, point, run.finished_at - run.started_at, run.cause)
