"""The named queues: how soon their jobs are wanted, which class of worker takes them, and how long one may run."""

from enum import StrEnum
from typing import NamedTuple


class WorkerClass(StrEnum):
    """Celery's queues. Each has workers of its own, so that what may take minutes never holds up what is wanted now."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"


class Queue(NamedTuple):
    """`priority` is 0 (first) to 9; `soft` and `hard` are seconds that an attempt may run: at the first an exception is raised
    in it, at the second its process is killed."""

    name: str
    workers: WorkerClass
    priority: int
    soft: int
    hard: int


def _table(*queues: Queue) -> dict[str, Queue]:
    return {queue.name: queue for queue in queues}


QUEUES = _table(
    Queue("notifications", WorkerClass.URGENT, 0, 20, 30),
    Queue("queue_management", WorkerClass.URGENT, 0, 20, 30),
    Queue("email", WorkerClass.URGENT, 3, 45, 60),
    Queue("messages", WorkerClass.URGENT, 3, 45, 60),
    Queue("payments", WorkerClass.URGENT, 3, 60, 90),
    Queue("waiting_list", WorkerClass.URGENT, 3, 30, 45),
    Queue("appointments", WorkerClass.NORMAL, 3, 60, 90),
    Queue("availability", WorkerClass.NORMAL, 3, 60, 90),
    Queue("webhooks", WorkerClass.NORMAL, 3, 60, 90),
    Queue("external_systems", WorkerClass.NORMAL, 3, 45, 60),
    Queue("reminders", WorkerClass.NORMAL, 6, 120, 150),  # a clinic each at the same moment: behind what is wanted at once
    Queue("services", WorkerClass.NORMAL, 6, 60, 90),
    Queue("therapies", WorkerClass.NORMAL, 6, 60, 90),
    Queue("check_ups", WorkerClass.NORMAL, 6, 60, 90),
    Queue("follow_ups", WorkerClass.NORMAL, 6, 120, 150),
    Queue("recurring", WorkerClass.NORMAL, 6, 120, 150),
    Queue("preferences", WorkerClass.NORMAL, 6, 60, 90),
    Queue("reports", WorkerClass.BULK, 3, 600, 660),
    Queue("calendar_sync", WorkerClass.BULK, 3, 300, 330),
    Queue("cache", WorkerClass.BULK, 3, 300, 330),
    Queue("analytics", WorkerClass.BULK, 6, 900, 960),
    Queue("data_sync", WorkerClass.BULK, 6, 1800, 1860),
    Queue("privacy", WorkerClass.BULK, 6, 3600, 3660),
    Queue("backup", WorkerClass.BULK, 9, 4 * 3600, 4 * 3600 + 60),
    Queue("maintenance", WorkerClass.BULK, 9, 4 * 3600, 4 * 3600 + 60),
)


def queue_choices() -> list[tuple[str, str]]:
    """For the ledger's column; a function, so that a new queue needs no migration."""
    return [(name, name) for name in QUEUES]
