"""A worker's process that runs out of memory is replaced after its job, and no job notices."""

import pytest

from tests.factories.job_crew import crew, lives, worker_pid

pytestmark = [pytest.mark.xdist_group("leak"), pytest.mark.thorough]
LIMIT, GROWTH = 400, 340  # MB


def test_it_is_replaced_after_its_job(worker_id: str, django_db_setup: None) -> None:
    variables = {"HMS_MEMORY_LIMIT_MB": str(LIMIT), "HMS_WORKER_MAX_MB": "4000", "HMS_WORKER_BEAT": "0.5"}
    with crew(f"memory_{worker_id}", with_redis=False, variables=variables) as found:
        found.start("worker", "--class", "normal", "--no-clock")
        grown = found.ends(found.enqueue("test.grows", payload={"megabytes": GROWTH}))
        pid = worker_pid(grown)
        found.until(lambda: "this process ends after its work in hand" in found.log.read_text(), "its being noticed")
        assert lives(pid)
        last = found.ends(found.enqueue("test.plain"))
        assert (worker_pid(last), last["attempts"]) == (pid, 1)
        found.until(lambda: not lives(pid), "its end")
        following = found.ends(found.enqueue("test.plain"))
        assert worker_pid(following) != pid and following["attempts"] == 1
        assert "WorkerLost" not in found.log.read_text()
        rows = found.connection.execute("SELECT pid FROM core_workerprocess").fetchall()
        assert pid not in {row["pid"] for row in rows}  # it said goodbye
