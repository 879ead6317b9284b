"""Upkeep by day, week and month, and looking whether external systems answer: each does what it says."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as hms
from django.test import override_settings

from core.database import advice as advising
from core.database import maintenance
from core.database.maintenance import due, due_daily, due_weekly
from core.database.roles import connection_apart
from core.jobs.execution import execute
from core.jobs.models import Job, State
from core.jobs.services import enqueue
from core.outbound.breakers import LIMIT
from core.outbound.registry import registry
from core.tenancy.context import Scope, unit_of_work
from tests.architecture.catalogue import connected
from tests.factories.endpoints import Told, endpoints
from tests.factories.leftovers import leftovers
from tests.factories.threads import apart

KB = 1024


@pytest.fixture(autouse=True)
def swept(world: object) -> Iterator[None]:
    yield
    leftovers.clear()


def done(kind: str) -> Job:
    """The job as it is when it has been tried once; all of it committed, for its signs of life have a connection of their own."""

    def run() -> Job:
        with unit_of_work(Scope(reason="test")):
            key = enqueue(kind)
        execute(key)
        with unit_of_work(Scope(reason="test")):
            return Job.objects.get(pk=key)

    job: Job = apart(run)[0]
    return job


# --- Upkeep -----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def small_bloat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's table is bloated by less than what is worth the work in earnest."""
    monkeypatch.setattr("core.database.maintenance.bloated", lambda known, _least: advising.bloated(known, 256 * KB))


def tasks(ask: Any) -> list[str]:
    with connection_apart("hms_maintenance") as connection:
        return [task.words for task in ask(connection) if "planted_worn" in task.words]


def test_the_days_and_the_week_s_work_together_are_what_is_due(worn: str, small_bloat: None) -> None:
    assert tasks(due) == tasks(due_weekly) == ["VACUUM (ANALYZE) planted_worn"]
    assert tasks(due_daily) == ["ANALYZE planted_worn"]


def test_daily_renews_statistics_and_seals_and_leaves_the_long_work(worn: str, seals_apart: Path) -> None:
    job = done("maintenance.daily")
    assert (job.state, job.cause) == (State.SUCCEEDED, "")
    assert tasks(due_daily) == []
    assert tasks(due_weekly) == ["VACUUM (ANALYZE) planted_worn"]
    assert list(seals_apart.glob("*.jsonl"))


def test_weekly_vacuums_and_then_rebuilds_what_is_bloated(worn: str, small_bloat: None) -> None:
    assert done("maintenance.weekly").state == State.SUCCEEDED
    assert tasks(due_weekly) == ["REINDEX INDEX CONCURRENTLY planted_worn_name", "REINDEX INDEX CONCURRENTLY planted_worn_pkey"]
    assert done("maintenance.weekly").state == State.SUCCEEDED
    assert tasks(due_weekly) == []


def test_what_of_it_fails_is_named_and_tried_again(
    worn: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody holds the table for longer than anybody waits."""
    monkeypatch.setattr(maintenance, "LOCK_LIMIT", "50ms")
    with connection_apart("hms_owner") as holder, holder.transaction():
        holder.execute("LOCK TABLE planted_worn IN ACCESS EXCLUSIVE MODE")
        job = done("maintenance.weekly")
    assert job.state == State.RETRYING and job.cause.startswith("UpkeepFailed")
    assert "VACUUM (ANALYZE) planted_worn failed." in caplog.text


def test_without_the_maintenance_role_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hms.DATABASE_ROLE_URLS, "hms_maintenance", "")
    for kind in ("maintenance.daily", "maintenance.weekly", "maintenance.monthly"):
        job = done(kind)
        assert job.state == State.FAILED and job.cause.startswith("DatabaseNotFit")


def test_monthly_gives_advice_and_verifies_the_seals(
    seals_apart: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(advising, "_accepted", {})
    done("audit.seal")
    job = done("maintenance.monthly")
    assert (job.state, job.cause) == (State.SUCCEEDED, "")
    assert "Index advice, missing: clinics_provider(user_id)" in caplog.text
    assert "sealed blocks with" in job.sentence and not job.sentence.startswith("0 ")


def test_monthly_finds_what_was_changed_behind_the_seals(seals_apart: Path, caplog: pytest.LogCaptureFixture) -> None:
    done("audit.seal")
    with connected("postgres") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        changed = connection.execute("UPDATE core_seal SET sealed_at = sealed_at - interval '1 day' WHERE number = 1").rowcount
        connection.commit()
    assert changed
    with caplog.at_level(logging.ERROR):
        job = done("maintenance.monthly")
    assert job.state == State.FAILED and "not as they were sealed" in job.cause
    assert caplog.text.count("Not as it was sealed") >= changed


# --- External systems -------------------------------------------------------------------------------------------------------
@pytest.fixture
def anew() -> Iterator[None]:
    registry.forget()
    yield
    registry.forget()


def test_external_systems_are_looked_at_and_their_breakers_know(anew: None, caplog: pytest.LogCaptureFixture) -> None:
    with endpoints(3) as (well, sick, gone):
        sick.answer = lambda _taken: Told(503)
        gone.kill()
        said = {
            "lab": {"kind": "lab", "endpoints": [well.url, sick.url], "health_path": "/health"},
            "pharmacy": {"kind": "pharmacy", "endpoints": [gone.url]},
        }
        with override_settings(HMS_EXTERNAL_SYSTEMS=json.dumps(said)):
            for _ in range(LIMIT):
                job = done("external_systems.check")
                assert job.state == State.SUCCEEDED
            assert job.sentence.startswith("3 endpoints, of which 2 don't answer: lab 127.0.0.1:")
            figures = {one.endpoint: one.is_open for name in said for one in registry.client(name).figures()}
            assert figures == {well.url[7:]: False, sick.url[7:]: True, gone.url[7:]: True}
            assert caplog.text.count("HTTP 503") == 1  # said once, not each minute
            sick.answer = lambda _taken: Told()
            done("external_systems.check")
            assert "answers again" in caplog.text
            assert not any(one.is_open for one in registry.client("lab").figures())
        assert {taken.path for taken in well.taken} == {"/health"}


def test_without_external_systems_there_is_nothing_to_say(anew: None) -> None:
    with override_settings(HMS_EXTERNAL_SYSTEMS=""):
        assert done("external_systems.check").sentence == ""
