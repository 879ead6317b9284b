"""Fills a scale database clinic by clinic, each in one transaction, so that a killed run loses one clinic at most."""

import time
from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from core.tenancy.context import Scope, clinic_scope, unit_of_work
from hms.demo.furniture import hashed_password
from hms.scale.furniture import furnish, make_clinic
from hms.scale.home import at_home, done_clinics, make_home
from hms.scale.people import fill_pools, register_all
from hms.scale.size import Size
from hms.scale.structure import put_back, take_off
from hms.scale.verification import verify
from hms.scale.visits import book_all, first_visit_of

MEMORY = "SET LOCAL work_mem = '256MB'; SET LOCAL synchronous_commit = off; SET LOCAL jit = off"
type Say = Callable[[str], None]
type Progress = Callable[[int, int], None]


def seed(database: str, size: Size, *, say: Say, progress: Progress) -> None:
    """Make the database, or go on where an earlier run stopped. Raises NotPossible, OtherData, TooFewPlaces, Incomplete."""
    size.check()
    say("Database, tables, roles …")
    make_home(database, size)
    with at_home(database):
        fill_pools()
        done = done_clinics()
    left = [number for number in range(1, size.clinics + 1) if number not in done]
    if left:
        with at_home(database, "hms_owner"):
            take_off()
        say(f"{len(left)} clinics of {size.patients:,} patients and about {size.appointments // size.clinics:,} visits …")
        _fill(database, size, left, progress)
    say("Indexes, constraints, triggers …")
    with at_home(database, "hms_owner"):
        put_back(say)
        say("Statistics, and what autovacuum would do in the hours after …")
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
    with at_home(database):
        for line in verify(size):
            say(line)


def _fill(database: str, size: Size, left: list[int], progress: Progress) -> None:
    hashed = hashed_password()
    with at_home(database):
        for position, number in enumerate(left, start=1):
            _fill_clinic(number, size, hashed)
            progress(position, len(left))


def _fill_clinic(number: int, size: Size, hashed: str) -> None:
    started, now = time.monotonic(), timezone.now().replace(second=0, microsecond=0)
    with unit_of_work(Scope(reason="scale")), connection.cursor() as cursor:
        cursor.execute(MEMORY)
        clinic, place = make_clinic(number)
        with clinic_scope(clinic, reason="scale"):
            made = furnish(number, size, clinic, place, hashed)
            register_all(made, size.patients, first_visit_of(made, size, now))
            book_all(made, size, size.appointments_of(number), now)
        cursor.execute("INSERT INTO scale.clinic VALUES (%s, %s, %s)", [number, clinic.pk, time.monotonic() - started])
