"""What writing an access down costs: `manage.py shell -c "from core.audit.benchmark import main; main('<e-mail>')"`."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone

from core.accounts import tokens
from core.accounts.models import User
from core.audit.draining import spool
from core.audit.events import AccessRecord, stored
from core.audit.spool import Spool
from core.audit.subjects import Reading, collecting, shown
from core.cache.benchmark import microseconds
from core.database.roles import connection_apart
from core.history.sealing import seal
from core.history.verification import Verified, verify
from core.listening import listener
from core.tenancy.context import clinic_scope
from core.tenancy.ids import new_id

MIDDLEWARE = "core.audit.middleware.AccessLogMiddleware"
ROUNDS = 3000
DRAINED = 5_000  # events
SEALED = 50_000  # events, of one patient each
LOOKS = """
INSERT INTO core_accessevent (clinic_id, at, event_id, user_id, route, method, status, address, request_id, why, reading)
SELECT %(clinic)s, now() - n * interval '1 ms', gen_random_uuid(), gen_random_uuid(), 'patients:detail', 'GET', 200, '203.0.113.7',
    gen_random_uuid()::text, '', 'view' FROM generate_series(1, %(count)s) AS n
"""
PATIENTS = """
INSERT INTO core_accessedpatient (clinic_id, patient_id, at, event_id)
SELECT clinic_id, gen_random_uuid(), at, event_id FROM core_accessevent WHERE clinic_id = %(clinic)s
"""


def measured() -> dict[str, tuple[float, float]]:
    """Name -> p50 and p99 in microseconds: noting whom an answer shows, and the event's way into a file of the spool's disk."""
    found = {}
    spool.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=spool.folder) as folder:
        own = Spool(Path(folder))
        for count in (1, 25):
            found[f"event of {count}"] = microseconds(_event(own, count))
    return found


def _event(own: Spool, count: int) -> Callable[[], None]:
    people, clinic = [new_id() for _ in range(count)], new_id()

    def written() -> None:
        with collecting() as collected:
            shown(people, Reading.LIST)
        said = ("api-v2:patient-list", "GET", 200, "203.0.113.7", str(clinic))
        own.append(AccessRecord(new_id(), timezone.now(), clinic, clinic, *said, collected).packed())

    return written


def compared(email: str) -> dict[str, tuple[float, float, float]]:
    """Path -> p50 in microseconds with and without the log, asked in turns, and their ratio. In this process, from the cache.

    Of the thread's own processor time, which others' work on the machine changes little; the write to the file is in it.
    """
    token = tokens.issue(User.objects.get(email=email), clinic_id=None).access
    with override_settings(MIDDLEWARE=[one for one in settings.MIDDLEWARE if one != MIDDLEWARE]):
        without = _client(token)
    with_log = _client(token)
    rows = with_log.get("/api/v2/patients?limit=25").json()["data"]
    paths = ["/api/v2/patients?limit=25", f"/api/v2/patients/{rows[0]['id']}"]
    return {path.replace(rows[0]["id"], "{id}"): _in_turns(path, with_log, without) for path in paths}


def draining() -> dict[int, tuple[float, float]]:
    """Patients of an event -> microseconds until it is in the database, and of them this process's own. All is rolled back."""
    found = {}
    for count in (1, 25):
        people, clinic = [new_id() for _ in range(count)], new_id()
        with collecting() as collected:
            shown(people, Reading.LIST)
        said = ("api-v2:patient-list", "GET", 200, "203.0.113.7", str(clinic), collected)
        events = [AccessRecord(new_id(), timezone.now(), clinic, clinic, *said).packed() for _ in range(DRAINED)]
        with clinic_scope(clinic, reason="benchmark"):
            started, own = time.perf_counter_ns(), time.thread_time_ns()
            stored(events)
            taken = time.perf_counter_ns() - started, time.thread_time_ns() - own
            transaction.set_rollback(True)
        found[count] = taken[0] / DRAINED / 1000, taken[1] / DRAINED / 1000
    return found


def sealing() -> dict[str, float]:
    """What is done -> rows in a second, for the rows of a clinic that isn't there; all of it is rolled back."""
    clinic, found = new_id(), {}
    with connection_apart("hms_platform") as connection, connection.transaction(force_rollback=True):
        for statement in (LOOKS, PATIENTS):
            connection.execute(statement, {"clinic": clinic, "count": SEALED})
        started = time.perf_counter()
        blocks = seal(connection, clinic_id=clinic).blocks
        found[f"sealed in {blocks} blocks"] = 2 * SEALED / (time.perf_counter() - started)
        started, verified = time.perf_counter(), Verified()
        wrong = list(verify(connection, verified, clinic_id=clinic))
        if wrong or verified.rows != 2 * SEALED:
            raise RuntimeError(f"{len(wrong)} findings, {verified.rows} rows")
        found["verified"] = verified.rows / (time.perf_counter() - started)
    return found


def _client(token: str) -> Client:
    client = Client(headers={"Authorization": f"Bearer {token}", "Host": settings.HMS_BASE_DOMAIN})
    client.get("/api/v2/patients?limit=1")  # the line of middleware is made at the first request
    return client


def _in_turns(path: str, one: Client, other: Client) -> tuple[float, float, float]:
    taken: dict[Client, list[float]] = {one: [], other: []}
    for number in range(ROUNDS):
        for client in (one, other) if number % 2 else (other, one):
            started = time.thread_time_ns()
            answer = client.get(path)
            taken[client].append((time.thread_time_ns() - started) / 1000)
            if answer.status_code != 200:
                raise RuntimeError(
                    f"{path} was answered with {answer.status_code}: are HMS_RATE_USER and HMS_RATE_SEARCH high enough?"
                )
    with_log, without = (sorted(taken[client])[ROUNDS // 2] for client in (one, other))
    return with_log, without, with_log / without


def main(*emails: str) -> None:
    for name, (p50, p99) in measured().items():
        sys.stdout.write(f"{name}: p50 {p50:.1f} us, p99 {p99:.1f} us\n")
    for count, (whole, own) in draining().items():
        sys.stdout.write(f"an event of {count} into the database: {whole:.0f} us, of them {own:.0f} us of this process\n")
    for name, rate in sealing().items():
        sys.stdout.write(f"{name}: {rate:,.0f} rows/s\n")
    listener.start()
    for email in emails:
        for path, (with_log, without, ratio) in compared(email).items():
            sys.stdout.write(f"{path}: p50 {with_log:.0f} us with the log, {without:.0f} us without, {ratio:.3f} x\n")
    listener.stop()
