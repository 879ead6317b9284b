"""5,000 jobs while workers, connections, clocks, the broker and the database die: each is in effect once, and none is stuck."""

import random
import time
from typing import Any

import pytest

from core.jobs.clock import SWEEP_EVERY
from core.jobs.execution import GRACE
from core.jobs.queues import QUEUES
from tests.chaos.job_harm import Harm
from tests.chaos.load import percentile
from tests.factories.job_crew import LEASE, Crew, crew

pytestmark = pytest.mark.slow
JOBS, AT_ONCE = 5000, 250
SECONDS = 900  # the machine may be busy with other things
SEED = 20261129
# A clock that is killed is there again after its start; while PostgreSQL is away nobody can be taken back.
RESTARTS = 10.0
# How long an attempt may stand in the ledger as running: signs of life are given for so long, then its lease ends and it is swept.
LONGEST = QUEUES["brief"].hard + GRACE + LEASE + SWEEP_EVERY + RESTARTS

RUNNING = """
SELECT max(extract(epoch FROM until - at)) AS longest, count(*) AS attempts FROM (
    SELECT state, at, lead(at) OVER (PARTITION BY job ORDER BY at) AS until FROM test_chronicle WHERE kind = 'test.brief'
) AS spans WHERE state = 'running'
"""
PAUSES = """
SELECT max(extract(epoch FROM at - before)) AS longest FROM (
    SELECT at, lag(at) OVER (ORDER BY at) AS before FROM test_chronicle WHERE kind = 'test.brief' AND state = 'running') AS claims
"""
EFFECTS = """
SELECT count(*) AS jobs, count(*) FILTER (WHERE n = 1) AS once, count(*) FILTER (WHERE id = ANY(%s)) AS promised FROM (
    SELECT j.id, count(e.job) AS n FROM core_job j LEFT JOIN test_effect e ON e.job = j.id WHERE j.kind = 'test.brief' GROUP BY 1
) AS each
"""
MOMENTS = """
SELECT count(*) AS moves, count(DISTINCT moment) AS moments,
    (SELECT count(*) FROM core_job WHERE kind = 'test.scheduled') AS jobs FROM test_mark WHERE entry = 'test.scheduled@UTC'
"""


@pytest.mark.parametrize("broker", ["redis", "folder"])
def test_every_job_is_in_effect_once_and_none_is_stuck(broker: str, worker_id: str, django_db_setup: None) -> None:
    with crew(f"chaos_jobs_{worker_id}", with_redis=broker == "redis", own_postgres=True) as at_work:
        for _ in range(2):
            at_work.start("worker", "--class", "bulk", "urgent", "--processes", "2")
        at_work.wait_until_working(("test.urgent", "test.bulk"))
        began, harm = time.monotonic(), Harm(at_work, random.Random(SEED))
        promised: list[str] = []
        for _ in harm.deals():
            if len(promised) < JOBS:
                promised += at_work.ask_again("enqueue", kind="test.brief", times=AT_ONCE, payload={"seconds": 0.05})
            left = at_work.count("kind = 'test.brief' AND state <> 'succeeded'")
            if not left and len(promised) >= JOBS:
                break
            assert time.monotonic() - began < SECONDS, f"{left} jobs are left after {dict(harm.done)}"
            time.sleep(harm.chance.uniform(0.5, 2))
        took = time.monotonic() - began
        seen = {name: _row(at_work, query) for name, query in (("running", RUNNING), ("pauses", PAUSES), ("moments", MOMENTS))}
        effects = _row(at_work, EFFECTS, promised)
        attempts, longest = seen["running"]["attempts"], seen["running"]["longest"]
        print(f"\n{broker}: {effects['jobs']} jobs, {attempts} attempts, {took:.0f} s; {dict(harm.done)}")  # noqa: T201
        print(f"an attempt ran for {longest:.1f} s at most, PostgreSQL was away for {harm.away:.1f} s at most")  # noqa: T201
        print(f"nobody began a job for {seen['pauses']['longest']:.1f} s at most; {seen['moments']}")  # noqa: T201
        assert effects["jobs"] == effects["once"] >= effects["promised"] == len(promised) >= JOBS
        assert longest < LONGEST + harm.away
        assert seen["moments"]["moves"] == seen["moments"]["moments"] >= seen["moments"]["jobs"] > 0
        assert len(harm.done) == len(harm.kinds), harm.done


def _row(at_work: Crew, query: str, *values: Any) -> dict[str, Any]:
    row = at_work.connection.execute(query, values or None).fetchone()
    assert row
    return dict(row)


@pytest.mark.parametrize("ways", [["--processes", "2"], ["--together", "--processes", "2"]], ids=["classes", "together"])
@pytest.mark.parametrize("broker", ["redis", "folder"])
def test_urgent_jobs_begin_while_ten_thousand_bulk_jobs_wait(
    broker: str, ways: list[str], worker_id: str, django_db_setup: None
) -> None:
    with crew(f"urgent_jobs_{worker_id}", with_redis=broker == "redis") as at_work:
        at_work.start("worker", *ways)
        at_work.wait_until_working()
        for _ in range(10):
            at_work.ask("enqueue", kind="test.bulk", times=1000, payload={"seconds": 0.2})
        at_work.until(lambda: at_work.count("kind = 'test.bulk' AND state = 'running'"), "a running bulk job")
        waits = []
        for number in range(50):
            job = at_work.ends(at_work.enqueue("test.urgent"))
            waits.append((job["started_at"] - job["run_at"]).total_seconds())
            time.sleep(0.02 * (number % 10))
        waiting = at_work.count("kind = 'test.bulk' AND state = 'queued'")
        said = f"p50 {percentile(waits, 0.5):.3f} s, p99 {percentile(waits, 0.99):.3f} s, at most {max(waits):.3f} s"
        print(f"\n{broker} {' '.join(ways)}: 50 urgent jobs began after {said}; {waiting} bulk jobs waited")  # noqa: T201
        assert waiting > 8000
        assert max(waits) < 2
