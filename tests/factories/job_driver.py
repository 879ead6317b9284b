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

from appointments.models import Appointment, Service  # noqa: E402
from clinics.models import Location, Provider  # noqa: E402
from clinics.services import protect_fields  # noqa: E402
from core.accounts.actor import system_actor  # noqa: E402
from core.data_sync.services import set_up_data_sync  # noqa: E402
from core.events.announcing import announce  # noqa: E402
from core.jobs.broker import Parcel, empty_classes, hand_over  # noqa: E402
from core.jobs.schedule import Crontab, Entry, tick  # noqa: E402
from core.jobs.services import cancel, enqueue, requeue, requeue_all  # noqa: E402
from core.jobs.statistics import queue_statistics  # noqa: E402
from core.jobs.sweeper import sweep  # noqa: E402
from core.messaging.models import Channel, Kind  # noqa: E402
from core.messaging.services import post  # noqa: E402
from core.tenancy.context import Scope, clinic_scope, unit_of_work  # noqa: E402
from core.tenancy.models import Clinic  # noqa: E402
from core.webhooks.services import create_webhook  # noqa: E402
from patients import events as patient_events  # noqa: E402
from tests.factories.job_kinds import leave  # noqa: E402,F401  (registers the kinds)
from tests.factories.visits import make_patient  # noqa: E402
from tests.factories.world import build_world  # noqa: E402


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
    """`what` in so many threads that begin together. The moment of `tick` is one that no other follows while a test runs."""
    start, found = threading.Barrier(times), []

    def work() -> None:
        start.wait(10)
        found.append(tick([Entry("test.plain", Crontab("0 0 1 1 *"))]) if what == "tick" else sweep().sent)
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


def a_world() -> dict[str, Any]:
    """Two clinics with people; the first one's ids."""
    place = build_world("Correct-Horse-2026").riverside
    patients = [str(one.pk) for one in place.patients]
    return {"clinic": str(place.clinic.pk), "patients": patients, "services": [str(one.pk) for one in place.services]}


def webhook(clinic: str, url: str, events: list[str]) -> str:
    """Its secret."""
    data = {"name": "Laboratory system", "url": url, "events": events}
    with clinic_scope(UUID(clinic), reason="test"):
        return create_webhook(actor=system_actor(UUID(clinic)), data=data)[1]


def data_sync(clinic: str, url: str) -> str:
    """Its secret."""
    with clinic_scope(UUID(clinic), reason="test"):
        return set_up_data_sync(actor=system_actor(UUID(clinic)), data={"url": url, "is_active": True})[1]


def patient_changed(clinic: str, patient: str) -> None:
    with clinic_scope(UUID(clinic), reason="test"):
        announce(patient_events.CHANGED, UUID(patient), patient=UUID(patient))


def write(to: str, times: int = 1) -> None:
    """Letters to an account, each in a transaction of its own."""
    for _ in range(times):
        with unit_of_work(Scope(reason="test")):
            post(kind=Kind.NOTICE, to={Channel.EMAIL: to}, channels=[Channel.EMAIL], subject="News", text="There is some.")


def visit(clinic: str, hours: float, phone: str) -> str:
    """A confirmed visit in so many hours, of a patient who wants text messages."""
    start = timezone.now() + timedelta(hours=hours)
    with clinic_scope(UUID(clinic), reason="test") as _scope:
        provider, location = Provider.objects.all()[0], Location.objects.all()[0]
        patient = make_patient(phone=phone, reminder_channels=["sms"])
        made = Appointment.objects.create(
            patient=patient, service=Service.objects.all()[0], provider=provider, location=location, start=start,
            end=start + timedelta(minutes=20), time_zone="Europe/London", local_day=start.date(), status="confirmed",
        )  # fmt: skip
    return str(made.pk)


COMMANDS: dict[str, Any] = {
    "world": a_world,
    "webhook": webhook,
    "data_sync": data_sync,
    "patient_changed": patient_changed,
    "write": write,
    "visit": visit,
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
