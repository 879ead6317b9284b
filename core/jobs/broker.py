"""Hands ids to the workers. Trouble is no error here: the ledger has the job, and the sweeper hands it over again.

Messages are written as Celery's protocol (version 2) says, by kombu alone: Celery itself takes twenty megabytes that only
workers need.
"""

import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings

from core.jobs.queues import QUEUES, WorkerClass

logger = logging.getLogger(__name__)

TASK = "hms.jobs.run"
PAUSE = 5.0  # seconds after trouble in which the broker is left alone
_quiet_until = 0.0
_sending = threading.Lock()


class Parcel(NamedTuple):
    """What workers are told of a job."""

    job_id: UUID
    queue: str
    priority: int


def hand_over(parcels: Iterable[Parcel]) -> list[UUID]:
    """Tell the workers; returns the ids that could not be told, after at most some seconds. Never raises."""
    global _quiet_until
    waiting = list(parcels)
    if not waiting:
        return []
    with _sending:
        if time.monotonic() < _quiet_until:
            return [one.job_id for one in waiting]
        try:
            with _connection() as connection:
                producer = connection.Producer(serializer="json")
                while waiting:
                    _publish(producer, waiting[0])
                    waiting.pop(0)
        except Exception as error:  # a boundary: brokers raise what their clients raise
            _quiet_until = time.monotonic() + PAUSE
            _forget_connections()
            logger.warning("Jobs wait in the ledger: the broker is in trouble (%s).", type(error).__name__)
    return [one.job_id for one in waiting]


def empty_classes() -> list[str]:
    """The classes of workers for whom nothing waits at the broker: what they were told of they have taken, or it was lost.

    Empty while the broker is in trouble. Never raises.
    """
    if time.monotonic() < _quiet_until:
        return []
    try:
        with _sending, _connection() as connection:
            return [one.value for one in WorkerClass if not _waiting(connection, one.value)]
    except Exception as error:  # a boundary, as above
        logger.warning("The broker doesn't say what waits (%s).", type(error).__name__)
        return []


def messages_waiting() -> dict[str, int]:
    """By class of workers, how many messages wait at the broker; its ways of waiting for an answer are those of `hand_over`.

    On a connection of its own, so that nobody who hands jobs over waits for whoever asks. Raises what the broker's client raises.
    """
    with _new_connection() as connection:
        return {one.value: _waiting(connection, one.value) for one in WorkerClass}


def _waiting(connection: Any, queue: str) -> int:
    """How many messages; a queue that the broker doesn't know has none."""
    try:
        return int(connection.default_channel.queue_declare(queue=queue, passive=True).message_count)
    except connection.channel_errors:
        return 0


def _connection() -> Any:
    """One of the process's connections."""
    from kombu.pools import connections

    return connections[_new_connection()].acquire(block=True)


def _new_connection() -> Any:
    """Imported late: most processes hand nothing over."""
    from kombu import Connection  # type: ignore[attr-defined]

    make_folders()
    options = {**settings.HMS_BROKER_OPTIONS, **settings.HMS_BROKER_TIMES}
    return Connection(settings.HMS_BROKER_URL, transport_options=options)  # type: ignore[no-untyped-call]


def _forget_connections() -> None:
    """What is broken is not used again."""
    from kombu import pools

    pools.reset()  # type: ignore[no-untyped-call]


def make_folders() -> None:
    """Where the broker is a folder it has to be there, and is nobody else's business; kombu is told of our way to write into it."""
    if settings.HMS_BROKER_URL.startswith("filesystem:"):
        from kombu.transport import TRANSPORT_ALIASES

        TRANSPORT_ALIASES["filesystem"] = "core.jobs.folder:Transport"
        for name in ("data_folder_in", "control_folder"):
            Path(settings.HMS_BROKER_OPTIONS[name]).mkdir(parents=True, exist_ok=True, mode=0o700)


def _publish(producer: Any, parcel: Parcel) -> None:
    queue, message_id = QUEUES[parcel.queue], str(uuid4())
    producer.publish(
        [[str(parcel.job_id)], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
        exchange="",
        routing_key=queue.workers.value,
        priority=parcel.priority,
        correlation_id=message_id,
        headers={
            "lang": "py",
            "task": TASK,
            "id": message_id,
            "root_id": message_id,
            "parent_id": None,
            "group": None,
            "retries": 0,
            "timelimit": [queue.hard, queue.soft],
            "argsrepr": f"('{parcel.job_id}',)",
            "kwargsrepr": "{}",
            "origin": "hms",
        },
        retry=False,
    )
