"""5,000 jobs while workers, connections, clocks and the broker die: each is in effect once."""

import random
import signal
import time

import pytest

from tests.factories.job_crew import LEASE, Crew, Process, crew, descendants

pytestmark = pytest.mark.slow
JOBS = 5000
SECONDS = 600
SEED = 20261129


@pytest.mark.parametrize("broker", ["redis", "folder"])
def test_every_job_is_in_effect_once(broker: str, worker_id: str, django_db_setup: None) -> None:
    chance = random.Random(SEED)
    with crew(f"chaos_jobs_{worker_id}", with_redis=broker == "redis") as at_work:
        for _ in range(2):
            at_work.start("worker", "--processes", "2")
        at_work.start("clock")
        at_work.wait_until_working()
        began = time.monotonic()
        for _ in range(JOBS // 250):
            at_work.ask("enqueue", kind="test.bulk", times=250, payload={"seconds": 0.05})
        deaths = 0
        while left := at_work.count("kind = 'test.bulk' AND state <> 'succeeded'"):
            assert time.monotonic() - began < SECONDS, f"{left} jobs are left"
            deaths += _harm(at_work, chance)
            time.sleep(chance.uniform(0.5, 2))
        effects = at_work.connection.execute(
            "SELECT count(*) AS jobs, count(*) FILTER (WHERE n = 1) AS once FROM (SELECT j.id, count(e.job) AS n FROM core_job j "
            "LEFT JOIN test_effect e ON e.job = j.id WHERE j.kind = 'test.bulk' GROUP BY 1) AS each"
        ).fetchone()
        assert effects and effects["jobs"] == effects["once"] >= JOBS
        assert deaths > 5
        took, again = time.monotonic() - began, at_work.count("kind = 'test.bulk' AND attempts > 1")
        print(f"\n{broker}: {JOBS} jobs, {deaths} deaths, {again} tried again, {took:.0f} s")  # noqa: T201


def _harm(at_work: Crew, chance: random.Random) -> int:
    """Kill, cut, stop or flush something; how many processes or connections that ended."""
    what = chance.choice(["worker", "worker", "connection", "clock", "sweep", "flush", "stand still"])
    if what == "worker":
        return _kill(_children_of_workers(at_work), chance, signal.SIGKILL)
    if what == "clock":
        return _kill([one for one in _family(at_work) if "manage.py clock" in one.command], chance, signal.SIGKILL)
    if what == "connection":
        ended = at_work.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'hms_%' AND application_name LIKE '%worker' "
            "AND datname = current_database() ORDER BY random() LIMIT 2"
        )
        return len(ended.fetchall())
    if what == "sweep":
        at_work.ask("at_once", times=3, what="sweep")
    elif what == "flush" and at_work.redis is not None:
        at_work.redis.client().flushall()
    elif what == "stand still" and (found := _children_of_workers(at_work)):
        one = chance.choice(found)
        one.signal(signal.SIGSTOP)
        time.sleep(LEASE + 2)
        one.signal(signal.SIGCONT)
    return 0


def _kill(found: list[Process], chance: random.Random, number: int) -> int:
    return int(bool(found) and chance.choice(found).signal(number))


def _family(at_work: Crew) -> list[Process]:
    return descendants({one.pid for one in at_work.workers})


def _children_of_workers(at_work: Crew) -> list[Process]:
    """Celery's own children of the class that does these jobs."""
    family = _family(at_work)
    pids = {one.pid for one in family}
    return [one for one in family if one.parent in pids and "bulk" in one.command]
