"""Real workers say that they live; who is stopped, killed or ends is seen as such. Both brokers."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories.job_crew import Crew, crew, lives, worker_pid

pytestmark = [pytest.mark.xdist_group("workers"), pytest.mark.thorough]
BEAT = 0.5  # seconds
LOCK = 4790


@pytest.fixture(scope="module", params=["folder", "redis"])
def beating(request: pytest.FixtureRequest, worker_id: str, django_db_setup: None) -> Iterator[Crew]:
    variables = {"HMS_WORKER_BEAT": str(BEAT)}
    with crew(f"beats_{worker_id}", with_redis=request.param == "redis", variables=variables) as found:
        found.start("worker", "--class", "normal", "urgent", "--processes", "2")
        found.wait_until_working(("test.plain", "test.urgent"))
        yield found


def rows(of: Crew) -> dict[int, dict[str, Any]]:
    """By process id."""
    return {row["pid"]: row for row in of.connection.execute("SELECT * FROM core_workerprocess").fetchall()}


def listed(of: Crew) -> dict[int, dict[str, Any]]:
    return {one["pid"]: one for one in json.loads(of.manage("jobs", "workers", "--json"))}


def conditions_of_others(of: Crew, pid: int) -> set[str]:
    return {one["condition"] for number, one in listed(of).items() if number != pid}


def test_each_process_says_what_it_is_and_what_it_has_done(beating: Crew) -> None:
    beating.until(lambda: len(rows(beating)) == 5, "two processes of two classes and a clock")
    job = beating.ends(beating.enqueue("test.plain"))
    pid = worker_pid(job)
    row = beating.until(lambda: (row := rows(beating)[pid])["succeeded"] and row, "its being counted")
    assert row["classes"] == ["normal"] and row["name"].startswith("normal-") and len(row["version"]) == 12
    assert row["resident"] > 2**20 < row["parent_resident"] and row["busy"] > 0
    (clock,) = [one for one in rows(beating).values() if one["classes"] == []]
    assert clock["name"].startswith("clock@") and lives(clock["pid"])
    failing = beating.enqueue("test.gives_up")
    its = worker_pid(beating.ends(failing, "failed"))
    beating.until(lambda: rows(beating)[its]["failed"], "the failure's being counted")
    beating.until(lambda: {one["condition"] for one in listed(beating).values()} == {"well"}, "all being well")


def test_one_that_stands_still_is_named(beating: Crew) -> None:
    with beating.held(LOCK):
        pid = worker_pid(beating.runs(beating.enqueue("test.waits", payload={"lock": LOCK})))
        os.kill(pid, signal.SIGSTOP)
        try:
            beating.until(lambda: listed(beating)[pid]["condition"] == "silent", "its being missed")
            beating.until(lambda: conditions_of_others(beating, pid) == {"well"}, "the others being well")
            assert rows(beating)[pid]["pid"] == pid  # it lives, so nobody takes it off the list
        finally:
            os.kill(pid, signal.SIGCONT)
        beating.until(lambda: listed(beating)[pid]["condition"] == "well", "its coming back")


def test_processes_whose_celery_stands_still_take_nothing(beating: Crew) -> None:
    pid = next(pid for pid, row in rows(beating).items() if row["classes"] == ["urgent"])
    (parent,) = [one.parent for one in beating.family() if one.pid == pid]
    os.kill(parent, signal.SIGSTOP)
    try:
        beating.until(lambda: listed(beating)[pid]["condition"] == "takes nothing", "its being noticed")
    finally:
        os.kill(parent, signal.SIGCONT)
    beating.until(lambda: listed(beating)[pid]["condition"] == "well", "its coming back")


def test_who_ends_is_taken_off_and_who_was_killed_by_the_others(beating: Crew) -> None:
    one = beating.start("worker", "--class", "bulk", "--no-clock")
    beating.until(lambda: [row for row in rows(beating).values() if row["classes"] == ["bulk"]], "one more")
    beating.stop(one)
    assert one.wait(30) == 0
    assert [row for row in rows(beating).values() if row["classes"] == ["bulk"]] == []
    (clock,) = [row["pid"] for row in rows(beating).values() if row["classes"] == []]
    os.kill(clock, signal.SIGKILL)
    beating.until(lambda: clock not in rows(beating), "its being taken off")
    beating.until(lambda: [row for row in rows(beating).values() if row["classes"] == []], "another clock")
