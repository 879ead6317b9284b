"""PostgreSQL is restarted, and crashes, while jobs run, wait and are wanted."""

import pytest

from tests.factories.job_crew import crew

LOCK = 4714


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["redis", "folder"])
def test_a_database_that_restarts_loses_no_job(broker: str, worker_id: str, django_db_setup: None) -> None:
    with crew(f"restarts_{worker_id}", with_redis=broker == "redis", own_postgres=True) as at_work:
        at_work.start("worker", "--processes", "2")
        at_work.wait_until_working()
        for mode in ("fast", "immediate"):
            at_work.connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])  # held until the server ends
            busy = at_work.ask_again("enqueue", kind="test.waits", times=2, payload={"lock": LOCK})
            for key in busy:
                at_work.runs(key)
            keys = at_work.ask("enqueue", kind="test.plain", times=30)
            at_work.restart_postgres(mode)
            assert [at_work.ends(key)["attempts"] for key in busy] == [2, 2]
            assert [at_work.ends(key)["attempts"] for key in keys] == [1] * 30
            assert [at_work.effects(key) for key in [*busy, *keys]] == [1] * 32
