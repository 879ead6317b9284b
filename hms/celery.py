"""The workers' side of Celery: `manage.py worker` starts it, the ledger decides (docs/jobs.md)."""

import logging
import os
import time
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import django
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_init, worker_process_shutdown, worker_ready
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

django.setup()  # the models below need it

from core.database.detector import Detector  # noqa: E402
from core.errors import DomainError  # noqa: E402
from core.faults.writing import writer  # noqa: E402
from core.jobs.broker import TASK, make_folders  # noqa: E402
from core.jobs.execution import execute  # noqa: E402
from core.jobs.parents import end_with_parent  # noqa: E402
from core.jobs.queues import WorkerClass  # noqa: E402
from core.tracing import hooks  # noqa: E402
from core.workers.celery_processes import process  # noqa: E402
from hms.memory import watch_worker  # noqa: E402

logger = logging.getLogger(__name__)
make_folders()
app = Celery("hms")
app.conf.update(
    broker_url=settings.HMS_BROKER_URL,
    broker_transport_options=settings.HMS_BROKER_OPTIONS,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_ignore_result=True,
    task_default_queue=WorkerClass.NORMAL.value,
    task_serializer="json",
    accept_content=["json"],
    enable_utc=True,
    timezone="UTC",
    worker_prefetch_multiplier=2,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    CELERY_DB_REUSE_MAX=1000,  # tasks; else Celery closes every connection before and after each
    worker_max_memory_per_child=settings.HMS_WORKER_MAX_MB * 1024,
)


@setup_logging.connect  # type: ignore[untyped-decorator]
def keep_our_logging(**_: Any) -> None:
    """Django has set it up, with redaction on every handler; Celery would add handlers of its own."""


@worker_init.connect  # type: ignore[untyped-decorator]
def leave_with_parent(**_: Any) -> None:
    end_with_parent()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def write_faults_down(**_: Any) -> None:
    """In each process that does jobs, after the fork."""
    writer.start()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def write_the_last_faults(**_: Any) -> None:
    writer.stop()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def look_after_memory(**_: Any) -> None:
    watch_worker()
    if settings.HMS_TRACES:
        from core.tracing import sending

        sending.begin("worker")


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def send_last_traces(**_: Any) -> None:
    if settings.HMS_TRACES:
        from core.tracing import sending

        sending.end()


@worker_ready.connect  # type: ignore[untyped-decorator]
def end_when_a_process_is_killed(sender: Any, **_: Any) -> None:
    """Through a folder the processes of a class read from one pipe, by turns. One that is killed may take its turn with it, and
    the others would wait for ever (seen): so all end, and `manage.py worker` starts them anew. With Redis each has its own."""
    if settings.HMS_BROKER_URL.startswith("filesystem:"):
        sender.pool._pool.on_process_down = _end_unless_it_ended_by_itself


def _end_unless_it_ended_by_itself(ended: Any) -> None:
    if (ended.exitcode or 0) < 0:
        logger.error("A process was killed (signal %d): all of its class begin anew.", -ended.exitcode)
        os._exit(os.EX_SOFTWARE)  # the other processes end with this one, and their jobs are taken back


@app.task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]
def run(job_id: str) -> str:
    """Do one job. Delivered twice it is done once; what goes wrong stands in the ledger, not here."""
    close_old_connections()  # those that broke or are old; the others serve job after job
    began = time.monotonic()
    try:
        with Detector(str).on() if hooks.tracing else nullcontext():  # it tells traces of the statements
            state = execute(UUID(job_id))
        process.count(state, time.monotonic() - began)
        return str(state or "nothing to do")
    except (DatabaseError, InterfaceError, DomainError) as error:
        connections.close_all()
        logger.warning("Job %s waits: the database is in trouble (%s).", job_id, type(error).__name__)
        return "waits"
