"""What numbering events at their commit costs the commit: `python -m tests.load.commit_cost`.

One transaction each: an event of the outbox is written and committed. With the triggers and without, in turns, so that a busy
machine slows both down; by one writer and by eight at once; alone, and with a notice to caches, as every change of a table has
that is cached: that alone makes PostgreSQL commit one transaction after the other.
"""

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg

TURNS, COMMITS = 8, 150  # turns with and without; commits of each writer in one turn
WRITE = """
INSERT INTO core_domainevent (id, clinic_id, name, schema, about, about_id, data, at)
VALUES (gen_random_uuid(), %s, 'patient.changed', 1, 'patient', %s, '{"patient": null}', now())
"""


def write(url: str, clinic_id: UUID, notice: bool, taken: list[float], gate: threading.Barrier) -> None:
    """Milliseconds of each transaction."""
    with psycopg.connect(url) as connection:
        gate.wait()
        for _ in range(COMMITS):
            began = time.perf_counter()
            connection.execute("SELECT set_config('hms.clinic_id', %s, true)", [str(clinic_id)])
            connection.execute(WRITE, [clinic_id, uuid4()])
            if notice:
                connection.execute("SELECT pg_notify('hms_cache', %s)", [str(uuid4())])
            connection.commit()
            taken.append((time.perf_counter() - began) * 1000)


def turn(url: str, clinic_id: UUID, writers: int, notice: bool) -> tuple[float, float]:
    """Milliseconds of a transaction in the middle, and transactions in a second of all writers."""
    taken: list[float] = []
    gate = threading.Barrier(writers + 1)
    threads = [threading.Thread(target=write, args=(url, clinic_id, notice, taken, gate)) for _ in range(writers)]
    for one in threads:
        one.start()
    gate.wait()
    began = time.perf_counter()
    for one in threads:
        one.join()
    return statistics.median(taken), len(taken) / (time.perf_counter() - began)


@contextmanager
def without_triggers(admin: "psycopg.Connection[Any]") -> Iterator[None]:
    admin.execute("ALTER TABLE core_domainevent DISABLE TRIGGER hms_event_turn")
    try:
        yield
    finally:
        admin.execute("ALTER TABLE core_domainevent ENABLE TRIGGER hms_event_turn")


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
    django.setup()
    from tests.factories.server import RUN, _run, _url_of, database_of_its_own

    with database_of_its_own("commit_cost") as (environment, admin_url):
        seeded = json.loads(_run([sys.executable, "-c", RUN, "tests.load.streams:seed"], environment))
        clinic_id = UUID(seeded[0]["clinic"])
        url = _url_of("hms_app", "hms_commit_cost")
        with psycopg.connect(admin_url, autocommit=True) as admin:
            for writers, notice in ((1, False), (1, True), (8, False), (8, True)):
                found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
                for _ in range(TURNS):
                    found[True].append(turn(url, clinic_id, writers, notice))
                    with without_triggers(admin):
                        found[False].append(turn(url, clinic_id, writers, notice))
                (took, rate), (took_bare, rate_bare) = (
                    [statistics.median(column) for column in zip(*found[numbered], strict=True)] for numbered in (True, False)
                )
                sys.stdout.write(
                    f"{writers} writers{', with a notice' if notice else ''}: "
                    f"{took:.2f} ms a transaction, without {took_bare:.2f} (x{took / took_bare:.2f}); "
                    f"{rate:.0f} a second, without {rate_bare:.0f} (x{rate / rate_bare:.2f})\n"
                )


if __name__ == "__main__":
    main()
