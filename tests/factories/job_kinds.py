"""Kinds of jobs that tests send to real workers (HMS_JOB_MODULES), and what they leave: rows of `test_effect`.

A job waits where the test wants it to by asking for an advisory lock that the test holds.
"""

import threading
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connections, transaction
from django.utils import timezone

from core.jobs.kinds import GiveUp, Run, Within, job_kind
from core.jobs.queues import QUEUES, Queue, WorkerClass
from core.jobs.services import enqueue

QUEUES["short"] = Queue("short", WorkerClass.NORMAL, 3, 1, 3)
QUEUES["brief"] = Queue("brief", WorkerClass.BULK, 3, 4, 6)
NOW = timedelta(0)
KEPT: list[bytes] = []
TABLES = """
CREATE TABLE test_effect (job uuid, attempt int, made_at timestamptz DEFAULT clock_timestamp(), worker_says timestamptz);
CREATE TABLE test_broken (word text);
CREATE TABLE test_at_commit (lock int);
CREATE FUNCTION test_wait() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(NEW.lock); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER test_wait AFTER INSERT ON test_at_commit DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION test_wait();
CREATE TABLE test_mark (entry text, moment timestamptz);
CREATE FUNCTION test_marks() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO test_mark VALUES (NEW.entry, NEW.moment); RETURN NULL; END';
CREATE TRIGGER test_marks AFTER UPDATE ON core_schedulemark FOR EACH ROW WHEN (NEW.moment > OLD.moment)
    EXECUTE FUNCTION test_marks();
CREATE TABLE test_chronicle (job uuid, kind text, state text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION test_chronicle() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO test_chronicle VALUES (NEW.id, NEW.kind, NEW.state); RETURN NULL; END';
CREATE TRIGGER test_chronicle AFTER INSERT OR UPDATE OF state ON core_job FOR EACH ROW EXECUTE FUNCTION test_chronicle();
GRANT SELECT, INSERT, UPDATE, DELETE ON test_effect, test_broken, test_at_commit, test_mark, test_chronicle
    TO hms_app, hms_platform;
"""


def leave(run: Run, alias: str = "default") -> None:
    with connections[alias].cursor() as cursor:
        said = [run.id, run.attempt, timezone.now()]
        cursor.execute("INSERT INTO test_effect (job, attempt, worker_says) VALUES (%s, %s, %s)", said)


def wait_for(lock: int, alias: str = "default") -> None:
    """Until nobody else holds the lock; in short statements, so that a time limit can come in between."""
    got = False
    while not got:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.02), pg_try_advisory_xact_lock_shared(%s)", [lock])
            got = cursor.fetchone()[1]


@job_kind("test.plain", queue="appointments", within=Within.PLATFORM, pause=NOW)
def plain(run: Run, *, number: int = 0) -> None:
    leave(run, "platform")


@job_kind("test.urgent", queue="notifications", within=Within.PLATFORM, pause=NOW)
def urgent(run: Run) -> None:
    leave(run, "platform")


@job_kind("test.bulk", queue="reports", within=Within.PLATFORM, attempts=50, pause=timedelta(seconds=0.2))
def bulk(run: Run, *, seconds: float = 0) -> None:
    leave(run, "platform")
    with connections["platform"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


@job_kind("test.waits", queue="appointments", within=Within.PLATFORM, pause=NOW)
def waits(run: Run, *, lock: int) -> None:
    leave(run, "platform")
    run.progress(40, "waiting")
    wait_for(lock, "platform")
    run.progress(80, "waited")


@job_kind("test.steps", queue="appointments", within=Within.PLATFORM, pause=NOW)
def steps(run: Run, *, claimed: int, middle: int, commit: int, after: int) -> None:
    """Waits for one lock at each step. The database itself waits for `commit` while it commits."""
    wait_for(claimed, "platform")
    leave(run, "platform")
    run.progress(40, "in the middle")
    wait_for(middle, "platform")
    with connections["platform"].cursor() as cursor:
        cursor.execute("INSERT INTO test_at_commit VALUES (%s)", [commit])
    transaction.on_commit(partial(wait_for, after), using="platform")


@job_kind("test.brief", queue="brief", within=Within.PLATFORM, attempts=50, pause=timedelta(seconds=0.2))
def brief(run: Run, *, seconds: float = 0) -> None:
    leave(run, "platform")
    with connections["platform"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


@job_kind("test.grows", queue="appointments", within=Within.PLATFORM, pause=NOW)
def grows(run: Run, *, megabytes: int) -> None:
    KEPT.append(b"x" * (megabytes * 2**20))
    leave(run, "platform")


@job_kind("test.scheduled", queue="notifications", within=Within.PLATFORM, pause=NOW)
def scheduled(run: Run) -> None:
    leave(run, "platform")


@job_kind("test.fails", queue="appointments", within=Within.PLATFORM, attempts=3, pause=NOW)
def fails(run: Run, *, word: str) -> None:
    """Unless the word has been taken off the table."""
    leave(run, "platform")
    with connections["platform"].cursor() as cursor:
        cursor.execute("SELECT word FROM test_broken WHERE word = %s", [word])
        if cursor.fetchone():
            raise ValueError("Ines Haddad, +44 20 7946 0018")


@job_kind("test.gives_up", queue="appointments", within=Within.PLATFORM, attempts=3, pause=NOW)
def gives_up(run: Run) -> None:
    leave(run, "platform")
    raise GiveUp("no such thing")


@job_kind("test.slow", queue="short", within=Within.PLATFORM, attempts=1)
def slow(run: Run, *, lock: int) -> None:
    leave(run, "platform")
    wait_for(lock, "platform")


@job_kind("test.stuck", queue="short", within=Within.PLATFORM, attempts=1)
def stuck(run: Run) -> None:
    """Doesn't listen to the soft limit, and never ends."""
    leave(run, "platform")
    while True:
        with suppress(SoftTimeLimitExceeded):
            threading.Event().wait(1)


@job_kind("test.enqueues", queue="appointments", within=Within.PLATFORM, pause=NOW)
def enqueues(run: Run, *, fail: bool = False) -> None:
    enqueue("test.plain", dedupe_key=f"of-{run.id}")
    if fail:
        raise GiveUp("after all")


@job_kind("test.in_clinic", queue="appointments", pause=NOW)
def in_clinic(run: Run, *, ids: list[UUID] | None = None) -> None:
    leave(run)
