"""A real worker sends an export, is killed in the middle of it, and another goes on."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.data_sync.receiver import Copy
from tests.factories.endpoints import Taken, Told, endpoints
from tests.factories.job_crew import Crew, crew, worker_pid

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def at_work(worker_id: str, django_db_setup: None) -> Iterator[Crew]:
    with crew(f"copy_{worker_id}", with_redis=False, variables={"HMS_WEBHOOK_ALLOW": "127.0.0.1"}) as found:
        found.start("worker", "--class", "bulk", "normal", "--processes", "2")
        found.wait_until_working(("test.plain", "test.bulk"))
        yield found


@pytest.fixture(scope="module")
def world(at_work: Crew) -> dict[str, Any]:
    found: dict[str, Any] = at_work.ask("world")
    return found


def test_who_is_killed_in_the_middle_of_an_export_is_followed_by_another(at_work: Crew, world: dict[str, Any]) -> None:
    at_work.ask("visit", clinic=world["clinic"], hours=30, phone="+447700900123")
    copy, held = Copy(), []

    def answer(taken: Taken) -> Told:
        """The second page is written, and the sender never hears of it."""
        told = Told(copy.take(taken.headers, taken.body))
        if copy.pages[-1]["page"] == 2 and not held:
            held.append(taken)
            told.hold = True
        return told

    with endpoints(1) as (end,):
        end.answer = answer
        copy.secret = at_work.ask("data_sync", clinic=world["clinic"], url=f"{end.url}/sync")
        key = at_work.enqueue("data_sync.send", clinic=world["clinic"])
        at_work.until(lambda: held, "the second page")
        os.kill(worker_pid(at_work.job(key)), signal.SIGKILL)
        at_work.until(lambda: at_work.job(key)["attempts"] == 2, "another attempt")
        end.let_go.set()
        job = at_work.ends(key)
    assert job["attempts"] == 2
    cut_off, *since = copy.exports()
    assert cut_off == ["patients", "appointments", "end"] and copy.twice == 1 and copy.refused == 0
    assert since == [["end"]]  # what has changed while it was cut off: nothing
    assert set(copy.kept["patients"]) >= set(world["patients"]) and len(copy.kept["appointments"]) == 1
    assert _state(at_work) == {"run": None, "last_rows": 0, "last_cause": ""}


def _state(at_work: Crew) -> Any:
    return at_work.connection.execute("SELECT run, last_rows, last_cause FROM core_datasync").fetchone()


def test_a_clinic_without_one_sends_nothing(at_work: Crew, world: dict[str, Any]) -> None:
    row = at_work.connection.execute("SELECT id FROM core_clinic WHERE slug = 'hillcrest'").fetchone()
    assert row
    assert at_work.ends(at_work.enqueue("data_sync.send", clinic=str(row["id"])))["attempts"] == 1
