"""Clocks that are hours off, and jump: when something is due, alive or over, the database's clock alone says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from tests.factories.job_crew import Crew, worker_pid

pytestmark = pytest.mark.thorough

LOCK = 4712
NEAR = timedelta(seconds=30)
TIMES = ("created_at", "run_at", "sent_at", "started_at", "finished_at")
BACK = "UPDATE core_schedulemark SET moment = moment - interval '1 hour' WHERE entry = 'test.scheduled@UTC'"
BLOCKED = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() "
    "AND query LIKE '%%INSERT INTO core_schedulemark%%'"
)


@contextmanager
def _off(at_work: Crew, hours: dict[int, float]) -> Iterator[None]:
    """The clocks of these processes are so many hours off."""
    try:
        told = [at_work.set_clock(pid, off) for pid, off in hours.items()]
        at_work.until(lambda: all(one.exists() for one in told), "the jump")
        yield
    finally:
        for pid in hours:
            at_work.set_clock(pid, 0)


@pytest.mark.parametrize("hours", [5.0, -5.0])
def test_with_wrong_clocks_jobs_are_done_as_ever(hours: float, at_work: Crew) -> None:
    """Whoever wants the job is off the other way."""
    at_work.ask("empty_classes")  # the driver is there
    assert at_work.driver is not None
    at_work.connection.execute("INSERT INTO test_broken VALUES ('hourly')")
    everybody = {one.pid: hours for one in at_work.family()}
    with _off(at_work, everybody | {at_work.driver.pid: -hours}):
        first = at_work.enqueue("test.plain")
        follower = at_work.enqueue("test.plain", after=[first])
        fails = at_work.enqueue("test.fails", payload={"word": "hourly"})
        cancelled = at_work.enqueue("test.plain", after=[at_work.enqueue("test.gives_up")])
        ended = [at_work.ends(first), at_work.ends(follower), at_work.ends(fails, "dead"), at_work.ends(cancelled, "cancelled")]
        said = at_work.connection.execute("SELECT worker_says - made_at AS off FROM test_effect WHERE job = %s", [first]).fetchone()
    at_work.connection.execute("DELETE FROM test_broken")
    assert said and abs(said["off"] - timedelta(hours=hours)) < NEAR  # its worker's clock was really off
    (now,) = at_work.connection.execute("SELECT clock_timestamp() AS now").fetchone().values()
    for job in ended:
        assert all(abs(job[name] - now) < NEAR for name in TIMES if job[name] is not None), job
    assert [job["attempts"] for job in ended] == [1, 1, 3, 0]


def test_a_clock_that_jumps_takes_no_job_away(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        everybody = {one.pid for one in at_work.family()}
        for hours in (7.0, -7.0):
            with _off(at_work, dict.fromkeys(everybody, hours)):
                before = at_work.job(job["id"])["lease_until"]
                at_work.until(lambda: at_work.job(job["id"])["lease_until"] > before, "a sign of life")  # noqa: B023
                assert at_work.job(job["id"])["lease_until"] - before < NEAR
    ended = at_work.ends(job["id"])
    assert (ended["attempts"], worker_pid(ended), at_work.effects(job["id"])) == (1, worker_pid(job), 1)


@pytest.mark.slow
def test_three_clocks_that_disagree_follow_a_moment_once(at_work: Crew) -> None:
    """They come to it at the same time: its mark is held until all of them ask for it."""
    others = [at_work.start("clock", hours=hours) for hours in (30, -30)]
    mark = ["test.scheduled@UTC"]
    known = "SELECT moment FROM core_schedulemark WHERE entry = %s FOR UPDATE"
    at_work.until(lambda: at_work.count("kind = 'test.scheduled'") or _put_back(at_work), "the entry's first job")
    with psycopg.connect(at_work.admin) as holding:
        at_work.until(lambda: holding.execute(known, mark).fetchone(), "the mark")
        at_work.until(lambda: at_work.connection.execute(BLOCKED).fetchone()["n"] == 3, "all clocks")
        moves, jobs = _moves(at_work), at_work.count("kind = 'test.scheduled'")
        holding.execute(BACK)
    at_work.until(lambda: not at_work.connection.execute(BLOCKED).fetchone()["n"], "their going on")
    at_work.until(lambda: at_work.count("kind = 'test.scheduled'") > jobs, "the job")
    assert at_work.count("kind = 'test.scheduled'") - jobs == _moves(at_work) - moves == 1
    assert at_work.connection.execute("SELECT 1 FROM core_schedulemark WHERE moment > now()").fetchall() == []
    for one in others:
        at_work.stop(one)


def _put_back(at_work: Crew) -> None:
    at_work.connection.execute(
        "UPDATE core_schedulemark SET moment = moment - interval '1 hour' WHERE entry = 'test.scheduled@UTC'"
    )


def _moves(at_work: Crew) -> int:
    row = at_work.connection.execute("SELECT count(*) AS n FROM test_mark WHERE entry = 'test.scheduled@UTC'").fetchone()
    return int(row["n"])
