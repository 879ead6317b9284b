"""A small scale database, made by the command itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.factories.server import ROOT, _drop, _run, _url_of

SIZE = ["--clinics", "4", "--locations", "7", "--patients", "120", "--appointments", "1001"]


def seed_scale(database: str, *more: str) -> str:
    return _run([sys.executable, "manage.py", "seed_scale", "--database", database, *SIZE, *more], dict(os.environ))


@contextmanager
def scale_database(database: str) -> Iterator[str]:
    """One whose first seeding was killed after the first clinic, and continued by a second one."""
    _drop(database)
    arguments = [sys.executable, "manage.py", "seed_scale", "--database", database, *SIZE]
    try:
        with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert any("1 of 4 clinics" in line for line in process.stdout)
            process.kill()
        with psycopg.connect(_url_of("hms_maintenance", database)) as seen:
            half_done = seen.execute("SELECT number, clinic_id FROM scale.clinic ORDER BY number").fetchall()
            assert seen.execute("SELECT count(*) FROM scale.taken_off").fetchone() != (0,)
        assert "All constraints, indexes, triggers and policies are in place." in seed_scale(database)
        with psycopg.connect(_url_of("hms_maintenance", database)) as seen:
            done = seen.execute("SELECT number, clinic_id FROM scale.clinic ORDER BY number").fetchall()
        assert half_done
        assert done[: len(half_done)] == half_done
        yield database
    finally:
        _drop(database)
