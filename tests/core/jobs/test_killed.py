"""kill -9 at each step of a job: it is in effect once, whatever the worker had got to."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.factories.job_crew import Crew, lives

# What a job waits for, or what holds it up, at each step; and the attempts that it takes when its worker dies there.
IDLE = 2  # further processes, the crew's own: they are given something to do
STEPS = {
    "before the claim": 1,
    "after the claim": 2,
    "in the middle": 2,
    "before it is closed": 2,
    "closed, before the commit": 2,
    "in the commit": 1,
    "after the commit": 1,
}
LOCKS = {"claimed": 100, "middle": 200, "commit": 300, "after": 400}
HELD = {"after the claim": "claimed", "in the middle": "middle", "before it is closed": "middle", "in the commit": "commit"}
BLOCKED = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query ~ %s"
)


@dataclass
class Stopped:
    """Jobs that have come to a step of theirs and are held there."""

    at_work: Crew
    rows: "psycopg.Connection[Any]"  # holds rows of the ledger
    locks: set[int] = field(default_factory=set)
    jobs: dict[str, str] = field(default_factory=dict)

    def hold(self, lock: int) -> None:
        self.at_work.connection.execute("SELECT pg_advisory_lock(%s)", [lock])
        self.locks.add(lock)

    def let_go(self, lock: int) -> None:
        self.at_work.connection.execute("SELECT pg_advisory_unlock(%s)", [lock])
        self.locks.discard(lock)

    def hold_row(self, job_id: str) -> None:
        self.rows.execute("SELECT 1 FROM core_job WHERE id = %s FOR UPDATE", [job_id])

    def start(self, number: int, step: str, delay: float = 0) -> str:
        """Each job has locks of its own; the one of its step is held already."""
        payload = {name: base + number for name, base in LOCKS.items()}
        self.jobs[step] = self.at_work.enqueue("test.steps", payload=payload, delay=delay)
        return self.jobs[step]

    def until_blocked(self, query: str, what: str) -> None:
        self.at_work.until(lambda: self.at_work.connection.execute(BLOCKED, [query]).fetchone()["n"], what)

    def release(self) -> None:
        self.rows.rollback()
        for lock in list(self.locks):
            self.let_go(lock)


@contextmanager
def stopped(at_work: Crew) -> Iterator[Stopped]:
    """A job at each step."""
    with ExitStack() as stack:
        rows = stack.enter_context(psycopg.connect(at_work.admin))
        found = Stopped(at_work, rows)
        stack.callback(found.release)
        for number, step in enumerate(STEPS):
            if step in HELD:
                found.hold(LOCKS[HELD[step]] + number)
        _before_the_claim(found, 0)
        for number, step in list(enumerate(STEPS))[1:4]:
            found.start(number, step)
        _closed(found, 4)
        found.start(5, "in the commit")
        found.hold(LOCKS["after"] + 6)
        found.start(6, "after the commit")
        at_work.until(lambda: at_work.job(found.jobs["after the claim"])["state"] == "running", "the claim")
        at_work.runs(found.jobs["in the middle"])
        at_work.runs(found.jobs["before it is closed"])
        found.hold_row(found.jobs["before it is closed"])
        found.let_go(LOCKS["middle"] + 3)
        found.until_blocked('^UPDATE "core_job" SET .*succeeded|^UPDATE "core_job" SET "state"', "the closing")
        found.until_blocked("^COMMIT", "the commit")
        at_work.until(lambda: at_work.job(found.jobs["after the commit"])["state"] == "succeeded", "the commit")
        _told(found)
        yield found


def _before_the_claim(found: Stopped, number: int) -> None:
    """Its row is held before anybody hears of it, so its worker waits in the statement that claims it."""
    at_work = found.at_work
    job_id = found.start(number, "before the claim", delay=1)
    found.hold_row(job_id)
    due = "SELECT 1 FROM core_job WHERE id = %s AND run_at < clock_timestamp()"
    at_work.until(lambda: at_work.connection.execute(due, [job_id]).fetchone(), "its moment")
    at_work.ask("deliver", job_id=job_id, times=1)
    found.until_blocked("UPDATE core_job SET state = 'running'", "the claim")


def _closed(found: Stopped, number: int) -> None:
    """After closing the job its worker looks for those that come after it, and one of them is held."""
    step, lock = "closed, before the commit", LOCKS["middle"] + number
    found.hold(lock)
    follower = found.at_work.enqueue("test.plain", after=[found.start(number, step)])
    found.jobs["follower"] = follower
    found.hold_row(follower)
    found.let_go(lock)
    found.until_blocked("after @>", "the closed job")


def _told(found: Stopped) -> None:
    """When nobody is idle, a job that the broker has handed to a worker waits in that one."""
    at_work, lock = found.at_work, LOCKS["after"] + 90
    found.hold(lock)
    for number in range(IDLE):
        found.jobs[f"busy {number}"] = at_work.enqueue("test.waits", payload={"lock": lock})
        at_work.runs(found.jobs[f"busy {number}"])
    found.jobs["told, and not begun"] = at_work.enqueue("test.plain")
    at_work.until(lambda: "normal" in at_work.ask("empty_classes"), "its being taken from the broker")


@pytest.fixture(scope="module")
def workers(at_work: Crew) -> Iterator[Crew]:
    """A process for each step, beside the crew's own."""
    one = at_work.start("worker", "--class", "normal", "--processes", str(len(STEPS)), "--no-clock")
    yield at_work
    at_work.stop(one)
    one.wait(60)  # else its processes still take jobs of the next test


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["the processes that do them", "Celery and all its processes", "Celery alone"])
def test_killed_at_each_step_a_job_is_in_effect_once(dies: str, workers: Crew) -> None:
    at_work = workers
    at_work.until(lambda: len(at_work.family("celery", "normal")) == len(STEPS) + IDLE + 2, "all processes")
    with stopped(at_work) as found:
        mains = [one for one in at_work.family("celery", "normal") if one.parent in {each.pid for each in at_work.workers}]
        pids = {one.pid for one in mains}
        children = [one for one in at_work.family("celery", "normal") if one.parent in pids]
        assert len(mains) == 2 and len(children) == len(STEPS) + IDLE
        assert at_work.count("state = 'running' AND kind <> 'test.scheduled'") == 5 + IDLE
        victims = {"Celery alone": mains, "the processes that do them": children}.get(dies, [*mains, *children])
        for one in victims:
            os.kill(one.pid, signal.SIGKILL)
        old = children if victims is children else [*mains, *children]  # Celery's processes don't outlive it
        at_work.until(lambda: not any(lives(one.pid) for one in old), "the end of the old processes")
    ended = {step: at_work.ends(job_id) for step, job_id in found.jobs.items()}
    assert {at_work.effects(job["id"]) for job in ended.values()} == {1}
    assert {step: ended[step]["attempts"] for step in STEPS} == STEPS
