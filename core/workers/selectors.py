"""Which processes work on jobs, and which of them nobody hears of."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import connections, router

from core.workers.beating import silence
from core.workers.models import WorkerProcess

FORGOTTEN = timedelta(hours=1)  # a process that was silent for so long is nobody's concern any more

PROCESSES = """
SELECT name, machine, pid, classes, version, started_at, extract(epoch FROM statement_timestamp() - beat_at)::float8, idle_parent,
    resident, parent_resident, succeeded, failed, busy
FROM core_workerprocess WHERE beat_at > statement_timestamp() - %s ORDER BY name, pid
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as it last spoke: `silent_s` ago. Bytes and seconds."""

    name: str
    machine: str
    pid: int
    classes: list[str]
    version: str
    started_at: Any
    silent_s: float
    idle_parent_s: float
    resident: int
    parent_resident: int
    succeeded: int
    failed: int
    busy_s: float

    @property
    def is_silent(self) -> bool:
        return self.silent_s > silence().total_seconds()

    @property
    def takes_nothing(self) -> bool:
        """It lives, and Celery doesn't hand it anything: that was stopped, or waits for its broker."""
        return not self.is_silent and self.idle_parent_s > silence().total_seconds()

    @property
    def is_well(self) -> bool:
        return not (self.is_silent or self.takes_nothing)

    @property
    def megabytes(self) -> int:
        return round(self.resident / 2**20)

    @property
    def label(self) -> str:
        """`normal-123@web-1/124`."""
        return f"{self.name}/{self.pid}"

    @property
    def condition(self) -> str:
        """In one word, for lists."""
        return "silent" if self.is_silent else "takes nothing" if self.takes_nothing else "well"

    def as_dict(self) -> dict[str, Any]:
        said = asdict(self) | {"condition": self.condition, "started_at": self.started_at.isoformat()}
        return {name: round(value, 1) if isinstance(value, float) else value for name, value in said.items()}


def seen_processes() -> list[Seen]:
    """Of the last hour, by name. One query."""
    with connections[router.db_for_read(WorkerProcess)].cursor() as cursor:
        forgotten: list[Any] = [FORGOTTEN]
        cursor.execute(PROCESSES, forgotten)
        return [Seen(*row) for row in cursor.fetchall()]
