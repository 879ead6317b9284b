"""Jobs with real workers: done once, whatever dies. Both brokers."""

import json
import os
import signal
from typing import Any
from uuid import UUID

import pytest

from core.jobs.schedule import SCHEDULE
from tests.factories.job_crew import Crew, lives, worker_pid

pytestmark = pytest.mark.thorough

LOCK = 4711
OF_THE_PLATFORM = [entry.kind for entry in SCHEDULE if not entry.per_clinic]
OF_A_CLINIC = [entry.kind for entry in SCHEDULE if entry.per_clinic]


def test_a_job_is_done_and_says_so(at_work: Crew) -> None:
    job = at_work.ends(at_work.enqueue("test.plain", payload={"number": 3}))
    assert (job["attempts"], job["progress"], job["cause"], job["claim"]) == (1, 100, "", None)
    assert at_work.effects(job["id"]) == 1


def test_what_is_rolled_back_was_never_wanted(at_work: Crew) -> None:
    (gone,) = at_work.ask("enqueue", kind="test.plain", times=1, roll_back=True)
    at_work.ends(at_work.enqueue("test.plain"))  # what was handed over before it would have been taken by now
    assert at_work.job(gone) == {} and at_work.effects(gone) == 0


def test_delivered_often_it_is_done_once(at_work: Crew) -> None:
    with at_work.held(LOCK):
        key = at_work.enqueue("test.waits", payload={"lock": LOCK})
        assert at_work.ask("deliver", job_id=key, times=5) == 0
        at_work.runs(key)
    at_work.ends(key)
    at_work.ask("deliver", job_id=key, times=3)
    at_work.ends(at_work.enqueue("test.plain"))
    job = at_work.job(key)
    assert (job["state"], job["attempts"], at_work.effects(key)) == ("succeeded", 1, 1)


def test_progress_is_seen_while_it_runs(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        assert (job["state"], job["progress"], job["sentence"]) == ("running", 40, "waiting")
        assert at_work.effects(job["id"]) == 0  # its effect isn't committed
    assert at_work.ends(job["id"])["progress"] == 100


def test_a_lease_is_renewed_as_long_as_the_worker_lives(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        at_work.until(lambda: at_work.job(job["id"])["lease_until"] > job["lease_until"], "a sign of life")
    assert at_work.ends(job["id"])["attempts"] == 1


def test_a_worker_that_is_killed_loses_the_job_to_another(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        os.kill(worker_pid(job), signal.SIGKILL)
        again = at_work.until(lambda: (now := at_work.job(job["id"]))["attempts"] == 2 and now, "a second attempt")
        assert worker_pid(again) != worker_pid(job)
    job = at_work.ends(job["id"])
    assert (job["attempts"], at_work.effects(job["id"])) == (2, 1)


def test_a_worker_whose_connection_is_cut_tries_again(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        cut = at_work.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hms_platform' AND xact_start IS NOT NULL "
            "AND datname = current_database()"
        )
        assert cut.fetchall()
        at_work.until(lambda: at_work.job(job["id"])["attempts"] == 2, "a second attempt")
    job = at_work.ends(job["id"])
    assert at_work.effects(job["id"]) == 1


def test_who_was_thought_dead_saves_nothing(at_work: Crew) -> None:
    """A worker that stands still for longer than its lease: the job is another's when it goes on."""
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        os.kill(worker_pid(job), signal.SIGSTOP)
        try:
            at_work.until(lambda: at_work.job(job["id"])["attempts"] == 2, "a second attempt")
        finally:
            os.kill(worker_pid(job), signal.SIGCONT)
    assert at_work.ends(job["id"])["attempts"] == 2
    at_work.until(lambda: not _in_transaction(at_work), "the first one's end")
    assert at_work.effects(job["id"]) == 1


def _in_transaction(at_work: Crew) -> bool:
    found = at_work.connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE usename = 'hms_platform' AND xact_start IS NOT NULL AND datname = current_database()"
    )
    return found.fetchone() is not None


def _faults(at_work: Crew) -> list[Any]:
    sql = "SELECT kind, error, names, count FROM core_fault WHERE place LIKE '%job_kinds%'"
    return [tuple(row.values()) for row in at_work.connection.execute(sql).fetchall()]


def test_it_is_tried_again_and_then_dead(at_work: Crew) -> None:
    at_work.connection.execute("INSERT INTO test_broken VALUES ('weekly')")
    at_work.connection.execute("DELETE FROM core_fault")  # of other tests of these workers
    key = at_work.enqueue("test.fails", payload={"word": "weekly"})
    job = at_work.ends(key, "dead")
    assert (job["attempts"], at_work.effects(key)) == (3, 0)
    assert job["cause"].startswith("ValueError at tests/factories/job_kinds.py:") and "Haddad" not in at_work.log.read_text()
    at_work.until(lambda: _faults(at_work) == [("job", "ValueError", ["test.fails"], 3)], "its fault")
    lines = [json.loads(line) for line in at_work.log.read_text().splitlines() if line.startswith("{")]
    assert [line["job_kind"] for line in lines if line.get("job_id") == key and line.get("fault")] == ["test.fails"] * 3
    at_work.connection.execute("DELETE FROM test_broken")
    assert key in at_work.manage("jobs", "dead")
    at_work.manage("jobs", "retry", key)
    assert (at_work.ends(key)["attempts"], at_work.effects(key)) == (1, 1)


def test_what_gives_up_is_not_tried_again(at_work: Crew) -> None:
    job = at_work.ends(at_work.enqueue("test.gives_up"), "failed")
    assert (job["attempts"], job["cause"], at_work.effects(job["id"])) == (1, "no such thing", 0)


def test_a_waiting_job_can_be_cancelled(at_work: Crew) -> None:
    key = at_work.enqueue("test.plain", delay=1.5)
    assert at_work.ask("cancel", job_id=key) == "cancelled"
    at_work.ends(at_work.enqueue("test.plain", delay=2))
    assert (at_work.job(key)["state"], at_work.effects(key)) == ("cancelled", 0)
    with pytest.raises(AssertionError, match="Conflict"):
        at_work.ask("cancel", job_id=key)


def test_a_running_job_that_is_cancelled_saves_nothing(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.runs(at_work.enqueue("test.waits", payload={"lock": LOCK}))
        at_work.ask("cancel", job_id=str(job["id"]))
    at_work.until(lambda: not _in_transaction(at_work), "the attempt's end")
    job = at_work.job(job["id"])
    assert (job["state"], job["attempts"], at_work.effects(job["id"])) == ("cancelled", 1, 0)


def test_of_one_key_one_job_is_live(at_work: Crew) -> None:
    with at_work.held(LOCK):
        first = at_work.enqueue("test.waits", payload={"lock": LOCK}, dedupe_key="nightly")
        assert at_work.enqueue("test.waits", payload={"lock": LOCK}, dedupe_key="nightly") == first
        at_work.runs(first)
        assert at_work.enqueue("test.waits", payload={"lock": LOCK}, dedupe_key="nightly") == first
    at_work.ends(first)
    second = at_work.enqueue("test.waits", payload={"lock": LOCK}, dedupe_key="nightly")
    assert second != first
    at_work.ends(second)


def test_a_job_after_others_waits_for_them(at_work: Crew) -> None:
    with at_work.held(LOCK):
        first = [at_work.enqueue("test.waits", payload={"lock": LOCK}), at_work.enqueue("test.plain")]
        last = at_work.enqueue("test.plain", after=first)
        at_work.runs(first[0])
        at_work.ends(first[1])
        at_work.ask("deliver", job_id=last, times=2)
        at_work.ends(at_work.enqueue("test.plain"))
        assert at_work.job(last)["attempts"] == 0
    assert at_work.ends(last)["started_at"] >= at_work.ends(first[0])["finished_at"]


def test_a_job_after_one_that_fails_is_cancelled(at_work: Crew) -> None:
    first = at_work.enqueue("test.gives_up")
    last = at_work.enqueue("test.plain", after=[first])
    job = at_work.ends(last, "cancelled")
    assert (job["attempts"], at_work.effects(last)) == (0, 0)


def test_what_a_job_wants_is_wanted_when_it_has_succeeded(at_work: Crew) -> None:
    done, failed = at_work.enqueue("test.enqueues"), at_work.enqueue("test.enqueues", payload={"fail": True})
    at_work.ends(done)
    at_work.ends(failed, "failed")
    found = at_work.until(lambda: _keyed(at_work, f"of-{done}"), "the job that it wanted")
    at_work.ends(found[0]["id"])
    assert _keyed(at_work, f"of-{failed}") == []


def _keyed(at_work: Crew, key: str) -> list[dict[str, Any]]:
    return at_work.connection.execute("SELECT * FROM core_job WHERE dedupe_key = %s", [key]).fetchall()


def test_the_soft_limit_is_an_error_inside(at_work: Crew) -> None:
    with at_work.held(LOCK):
        job = at_work.ends(at_work.enqueue("test.slow", payload={"lock": LOCK}), "dead")
    assert job["cause"].startswith("SoftTimeLimitExceeded") and at_work.effects(job["id"]) == 0


def test_the_hard_limit_ends_the_process(at_work: Crew) -> None:
    key = at_work.enqueue("test.stuck")
    pid = worker_pid(at_work.until(lambda: (job := at_work.job(key))["state"] == "running" and job, "its start"))
    assert at_work.ends(key, "dead")["cause"] == "worker lost"
    assert not lives(pid)
    assert at_work.effects(key) == 0
    at_work.wait_until_working(("test.plain",))


def test_urgent_jobs_begin_while_bulk_ones_wait(at_work: Crew) -> None:
    at_work.ask("enqueue", kind="test.bulk", times=200, payload={"seconds": 0.1})
    at_work.until(lambda: at_work.count("kind = 'test.bulk' AND state = 'running'"), "a running bulk job")
    at_work.ends(at_work.enqueue("test.urgent"))
    assert at_work.count("kind = 'test.bulk' AND state = 'queued'") > 50
    assert at_work.ask("statistics")["reports"]["waiting"] > 50
    at_work.until(lambda: not at_work.count("kind = 'test.bulk' AND state <> 'succeeded'"), "the bulk jobs' end")


def test_two_clocks_begin_a_moment_once(at_work: Crew) -> None:
    """A new entry begins with its next moment; that one is anybody's, but only one's."""
    assert sum(at_work.ask("at_once", times=4, what="tick")) == 0
    at_work.connection.execute("UPDATE core_schedulemark SET moment = moment - interval '1 hour' WHERE entry = 'test.plain@UTC'")
    assert sum(at_work.ask("at_once", times=4, what="tick")) == 1
    assert sum(at_work.ask("at_once", times=4, what="tick")) == 0


def test_two_sweepers_do_no_harm(at_work: Crew) -> None:
    """What was never handed over is, by one of them; also what the broker has lost."""
    keys = at_work.ask("enqueue", kind="test.plain", times=20, delay=0.5)
    for _ in range(10):
        at_work.ask("at_once", times=4, what="sweep")
    for key in keys:
        at_work.ends(key)
    assert [at_work.effects(key) for key in keys] == [1] * 20


def test_a_broker_that_forgets_everything_loses_no_job(at_work: Crew) -> None:
    if at_work.redis is None:
        pytest.skip("the folder forgets nothing by itself")
    with at_work.held(LOCK):  # both processes of the class are busy, so the others wait in the broker
        busy = [at_work.enqueue("test.waits", payload={"lock": LOCK}) for _ in range(2)]
        for key in busy:
            at_work.runs(key)
        keys = at_work.ask("enqueue", kind="test.plain", times=30)
        at_work.redis.client().flushall()
    for key in [*busy, *keys]:
        at_work.ends(key)
    assert [at_work.effects(key) for key in keys] == [1] * 30


def test_a_broker_that_is_away_holds_nobody_up(at_work: Crew) -> None:
    if at_work.redis is None:
        pytest.skip("a folder is never away")
    at_work.redis.kill()
    try:
        key = at_work.enqueue("test.plain")  # its transaction commits all the same
    finally:
        at_work.redis.start()
    at_work.ends(key)
    assert at_work.effects(key) == 1


@pytest.mark.parametrize("kind", OF_THE_PLATFORM)
def test_the_platform_s_own_jobs(kind: str, at_work: Crew) -> None:
    at_work.ends(at_work.enqueue(kind))


@pytest.mark.parametrize("kind", OF_A_CLINIC)
def test_a_clinic_s_own_jobs(kind: str, at_work: Crew) -> None:
    at_work.ends(at_work.enqueue(kind, clinic=at_work.ask("clinic")))


def test_what_a_clinic_protects_is_encrypted_by_a_job_and_once_more_later(at_work: Crew) -> None:
    clinic = at_work.ask("clinic")
    before = at_work.count("kind = 'keys.follow_marks'")
    at_work.ask("protect", clinic=clinic, fields=["patient.email"])
    at_work.until(lambda: at_work.count("kind = 'keys.follow_marks'") == before + 2, "both jobs")
    (last,) = at_work.connection.execute("SELECT * FROM core_job WHERE payload ? 'last' ORDER BY id DESC LIMIT 1").fetchall()
    assert (last["state"], last["in_clinic"]) == ("queued", UUID(clinic)) and last["run_at"] > last["created_at"]
    at_work.connection.execute("UPDATE core_job SET run_at = now() WHERE id = %s", [last["id"]])
    at_work.ends(last["id"])
