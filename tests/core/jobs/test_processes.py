"""What becomes of the processes: told to end, grown too large, more of them when there is more to do, a broker that comes back."""

import os
import signal
import subprocess
from typing import Any

import pytest

from tests.factories.job_crew import Crew, lives, worker_pid

pytestmark = pytest.mark.thorough

LOCK = 4713


def _waiting_jobs(at_work: Crew, times: int) -> list[dict[str, Any]]:
    keys = at_work.ask("enqueue", kind="test.waits", times=times, payload={"lock": LOCK})
    return [at_work.runs(key) for key in keys]


def _of(at_work: Crew, one: "subprocess.Popen[bytes]", jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """The job that a process of this worker does."""
    own = {each.pid for each in at_work.family(of=one)}
    (found,) = [job for job in jobs if worker_pid(job) in own]
    return found


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, id="told"), pytest.param(signal.SIGKILL, id="killed", marks=pytest.mark.slow)]
)
def test_a_worker_that_ends_finishes_what_it_has_begun(number: int, at_work: Crew) -> None:
    """Also when it is killed: Celery notices that its parent is gone."""
    one = at_work.start("worker", "--class", "normal", "--no-clock")
    with at_work.held(LOCK):
        jobs = _waiting_jobs(at_work, 3)
        its, family = _of(at_work, one, jobs), at_work.family(of=one)
        at_work.stop(one, number)
        waiting = at_work.enqueue("test.plain")
        at_work.until(lambda: "Warm shutdown" in at_work.log.read_text() or not lives(worker_pid(its)), "its being told")
        assert at_work.job(its["id"])["state"] == "running"
    ended = at_work.ends(its["id"])
    assert (ended["attempts"], worker_pid(ended), at_work.effects(its["id"])) == (1, worker_pid(its), 1)
    for job in jobs:
        at_work.ends(job["id"])
    at_work.ends(waiting)
    assert one.wait(30) == (0 if number == signal.SIGTERM else -number)
    at_work.until(lambda: not any(lives(each.pid) for each in family), "the end of its processes")


@pytest.mark.slow
def test_what_a_worker_that_ends_can_not_finish_is_taken_back(at_work: Crew) -> None:
    """After a minute."""
    one = at_work.start("worker", "--class", "normal", "--no-clock")
    with at_work.held(LOCK):
        jobs = _waiting_jobs(at_work, 3)
        its = _of(at_work, one, jobs)
        at_work.stop(one)
        at_work.until(lambda: at_work.job(its["id"])["claim"] != its["claim"], "the end", 90)
    ended = at_work.ends(its["id"])
    assert (ended["attempts"], at_work.effects(its["id"])) == (2, 1)
    for job in jobs:
        at_work.ends(job["id"])
    assert one.wait(30) == 0


def test_a_process_that_has_grown_is_replaced_and_its_job_done(at_work: Crew) -> None:
    job = at_work.ends(at_work.enqueue("test.grows", payload={"megabytes": 420}))  # HMS_WORKER_MAX_MB is 400
    assert (job["attempts"], at_work.effects(job["id"])) == (1, 1)
    at_work.until(lambda: not lives(worker_pid(job)), "its end")
    others = [at_work.ends(key) for key in at_work.ask("enqueue", kind="test.plain", times=6)]
    assert {other["attempts"] for other in others} == {1}
    assert worker_pid(job) not in {worker_pid(other) for other in others}


@pytest.mark.slow
def test_there_are_as_many_processes_as_jobs_up_to_the_most(at_work: Crew) -> None:
    one = at_work.start("worker", "--class", "normal", "--autoscale", "4", "--no-clock", AUTOSCALE_KEEPALIVE="1")
    with at_work.held(LOCK):
        jobs = _waiting_jobs(at_work, 6)
        assert len({worker_pid(job) for job in jobs}) == 6
        own = {each.pid for each in at_work.family(of=one)}
        assert len([job for job in jobs if worker_pid(job) in own]) == 4
    for job in jobs:
        assert (at_work.ends(job["id"])["attempts"], at_work.effects(job["id"])) == (1, 1)
    fewest = 2 if at_work.redis is not None else 5  # with Celery; through the folder there are always as many as the most
    at_work.until(lambda: len(at_work.family(of=one)) == fewest, "the end of those that aren't needed")
    for key in at_work.ask("enqueue", kind="test.plain", times=10):
        at_work.ends(key)
    at_work.stop(one)


def test_processes_that_are_killed_while_they_wait_hold_nobody_up(at_work: Crew) -> None:
    """Each is killed once, so also the one whose turn it is to be told of the next job."""
    mains = {one.pid for one in at_work.family("celery", "normal") if one.parent == at_work.workers[0].pid}
    for one in [each for each in at_work.family("celery", "normal") if each.parent in mains]:
        one.signal(signal.SIGKILL)
        for key in at_work.ask("enqueue", kind="test.plain", times=4):
            assert at_work.ends(key)["attempts"] == 1


def test_a_broker_that_is_killed_and_comes_back_in_the_middle_loses_no_job(at_work: Crew) -> None:
    if at_work.redis is None:
        pytest.skip("a folder is never away")
    with at_work.held(LOCK):
        busy = _waiting_jobs(at_work, 2)
        keys = at_work.ask("enqueue", kind="test.plain", times=30)
        at_work.redis.kill()
        later = at_work.ask("enqueue", kind="test.plain", times=5)
        at_work.redis.start()
    for key in [*(job["id"] for job in busy), *keys, *later]:
        assert (at_work.ends(key)["attempts"], at_work.effects(key)) == (1, 1)


def test_a_sweeper_and_a_clock_that_are_killed_are_there_again(at_work: Crew) -> None:
    before = at_work.family("clock")
    for one in before:
        os.kill(one.pid, signal.SIGKILL)
    key = at_work.enqueue("test.plain", delay=0.5)  # only a sweeper hands it over
    at_work.ends(key)
    assert at_work.family("clock") and at_work.effects(key) == 1
