"""HMS's side of a test with real workers, in a process of its own: reads commands as lines of JSON, answers as such."""

import json
import sys
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db import connections, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from clinics.services import protect_fields  # noqa: E402
from core.accounts.actor import system_actor  # noqa: E402
from core.jobs.broker import Parcel, empty_classes, hand_over  # noqa: E402
from core.jobs.schedule import Crontab, Entry, tick  # noqa: E402
from core.jobs.services import cancel, enqueue, requeue, requeue_all  # noqa: E402
from core.jobs.statistics import queue_statistics  # noqa: E402
from core.jobs.sweeper import sweep  # noqa: E402
from core.tenancy.context import Scope, clinic_scope, unit_of_work  # noqa: E402
from core.tenancy.models import Clinic  # noqa: E402
from tests.factories.job_kinds import leave  # noqa: E402,F401  (registers the kinds)


def enqueue_many(kind: str, times: int, roll_back: bool = False, delay: float = 0, **more: Any) -> list[str]:
    """In one transaction."""
    more["clinic"] = UUID(more["clinic"]) if "clinic" in more else None
    more["after"] = [UUID(one) for one in more.get("after", [])]
    more["run_at"] = timezone.now() + timedelta(seconds=delay) if delay else None
    with unit_of_work(Scope(reason="test")):
        ids = [str(enqueue(kind, **more)) for _ in range(times)]
        if roll_back:
            transaction.set_rollback(True)
    return ids


def deliver(job_id: str, times: int) -> int:
    return len(hand_over([Parcel(UUID(job_id), "appointments", 3)] * times))


def at_once(times: int, what: str) -> list[Any]:
    """`what` in so many threads that begin together."""
    start, found = threading.Barrier(times), []

    def work() -> None:
        start.wait(10)
        found.append(tick([Entry("test.plain", Crontab("* * * * *"))]) if what == "tick" else sweep().sent)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(times)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    return found


def a_clinic() -> str:
    """One clinic is enough: made at the first call."""
    own = {"name": "Riverside Practice", "time_zone": "Europe/London", "country": "GB", "currency": "GBP", "mrn_prefix": "RV"}
    return str(Clinic.objects.get_or_create(slug="riverside", defaults=own)[0].pk)


def protect(clinic: str, fields: list[str]) -> None:
    with clinic_scope(UUID(clinic), reason="test"):
        protect_fields(actor=system_actor(UUID(clinic)), fields=fields)


COMMANDS: dict[str, Any] = {
    "enqueue": enqueue_many,
    "deliver": deliver,
    "at_once": at_once,
    "empty_classes": empty_classes,
    "cancel": lambda job_id: str(cancel(actor=None, job_id=UUID(job_id)).state),
    "requeue": lambda job_id: str(requeue(actor=None, job_id=UUID(job_id)).state),
    "requeue_all": lambda: requeue_all(actor=None),
    "clinic": a_clinic,
    "protect": protect,
    "statistics": lambda: {one.queue: one.as_dict() for one in queue_statistics()},
}

if __name__ == "__main__":
    for line in sys.stdin:
        name, given = json.loads(line)
        try:
            answer = {"answer": COMMANDS[name](**given)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
