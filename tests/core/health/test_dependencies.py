"""HMS with a PostgreSQL and a Redis of its own, which are stopped, stalled and started: each is named where it belongs, in time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.database.embedded import EmbeddedPostgres
from tests.factories.databases import pids_of
from tests.factories.patience import eventually
from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.server import ROOT, Server, serving

pytestmark = [pytest.mark.slow, pytest.mark.server]  # by themselves: they say how long an answer may take

TOKEN = "t" * 40
IN_TIME = 20.0  # seconds: the longest limit of a check, and a busy machine
LATER = 90.0  # seconds: what is kept for a minute has to have passed


@dataclass
class Answer:
    status: int
    text: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def failing(self) -> list[str]:
        found: list[str] = self.json.get("failing", [])
        return found


@dataclass
class Stage:
    """A server, a worker with its clock, and what they need; all of it may be hurt."""

    server: Server
    postgres: EmbeddedPostgres
    redis: RedisServer
    folder: Path

    def ask(self, path: str) -> Answer:
        connection = HTTPConnection(self.server.host, timeout=30)
        began = time.monotonic()
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), time.monotonic() - began)
        finally:
            connection.close()

    def detailed(self) -> Answer:
        return self.ask("/health/detailed")

    def says(self, path: str, *failing: str) -> bool:
        """Does each of the server's processes name exactly these? Each request may reach another one; so many reach both."""
        answers = [self.ask(path) for _ in range(16)]
        assert max(one.seconds for one in answers) < IN_TIME
        wanted = 503 if failing else 200
        return all((sorted(one.failing), one.status) == (sorted(failing), wanted) for one in answers)

    def lives(self) -> None:
        """Nobody starts this process anew."""
        answer = self.ask("/health/live")
        assert (answer.status, answer.seconds < IN_TIME) == (200, True)

    def is_well_again(self) -> None:
        eventually(lambda: self.says("/health/ready") and self.says("/health/detailed") and self.says("/health/startup"), LATER)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="hms-health-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        with redis_server() as redis:
            variables = {
                "HMS_VAR_DIR": str(folder),
                "HMS_SPOOL_DIR": str(folder / "spool"),
                "DATABASE_URL": "",
                "REDIS_URL": redis.url,
                "HMS_MONITORING_TOKEN": TOKEN,
            }
            with serving("health", static=False, variables=variables) as server:
                with server.log.with_name("worker").open("wb") as output:
                    worker = subprocess.Popen(
                        [sys.executable, "manage.py", "worker", "--together"],
                        cwd=ROOT, env=server.environment, stdout=output, stderr=output,
                    )  # fmt: skip
                try:
                    yield Stage(server, postgres, redis, folder)
                finally:
                    worker.terminate()
                    worker.wait(70)
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


def test_all_is_well(stage: Stage) -> None:
    stage.is_well_again()
    answer = stage.detailed()
    checks = answer.json["checks"]
    assert answer.status == 200
    assert set(checks) == {
        *("database", "migrations", "access_log", "cache", "events", "broker", "workers", "clock", "disk", "memory"),
        "external_systems",
    }
    assert checks["events"]["listening"] == 1
    assert checks["migrations"]["missing"] == 0
    assert 0 < checks["disk"]["usage_percent"] < 100
    for probe in ("startup", "api"):
        assert stage.ask(f"/health/{probe}").status == 200


def test_a_stalled_database(stage: Stage) -> None:
    stage.is_well_again()
    stopped = pids_of(stage.postgres)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: stage.says("/health/ready", "database"))
        answer = stage.ask("/health/ready")
        assert (answer.status, answer.json["status"]) == (503, "unavailable")
        stage.lives()
        assert stage.ask("/health/startup").status == 200, "a process that has started is not started anew"
        found = stage.detailed().json
        assert "database" in found["failing"] and not {"migrations", "workers", "clock", "events"} & set(found["failing"])
        metrics = stage.ask("/metrics")
        assert (metrics.status, metrics.seconds < IN_TIME) == (200, True)
        assert 'hms_source_up{source="jobs"} 0.0' in metrics.text
        assert "hms_requests_total" in metrics.text
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    stage.is_well_again()
    eventually(lambda: 'hms_source_up{source="jobs"} 1.0' in stage.ask("/metrics").text)


def test_a_killed_database(stage: Stage) -> None:
    stage.is_well_again()
    for pid in pids_of(stage.postgres):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: stage.says("/health/ready", "database"))
    stage.lives()
    stage.postgres.ensure_running()
    stage.is_well_again()


@pytest.mark.parametrize("how", ["stalled", "killed"])
def test_a_redis_that_is_away_is_told_and_people_are_served(stage: Stage, how: str) -> None:
    stage.is_well_again()
    if how == "stalled":
        stage.redis.stall()
    else:
        stage.redis.kill()
    try:
        eventually(lambda: stage.says("/health/detailed", "broker"))
        answer = stage.detailed()
        assert (answer.status, answer.json["status"]) == (503, "unhealthy")
        assert answer.json["checks"]["cache"]["status"] == "degraded"
        assert stage.says("/health/ready"), "without Redis HMS serves"
        stage.lives()
    finally:
        if how == "stalled":
            stage.redis.resume()
        else:
            stage.redis.start()
    stage.is_well_again()


def test_a_migration_that_is_missing(stage: Stage) -> None:
    stage.is_well_again()
    with psycopg.connect(stage.postgres.url("postgres", stage.server.database), autocommit=True) as connection:
        row = connection.execute(
            "DELETE FROM django_migrations WHERE app = 'core' AND id = (SELECT max(id) FROM django_migrations WHERE app = 'core') "
            "RETURNING app, name, applied"
        ).fetchone()
        assert row is not None
        try:
            eventually(lambda: stage.says("/health/ready", "migrations"))
            assert f"core.{row[1]}" in stage.detailed().json["checks"]["migrations"]["note"]
        finally:
            connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", row)
    stage.is_well_again()


def test_an_access_log_that_cannot_be_written(stage: Stage) -> None:
    stage.is_well_again()
    spool, aside = stage.folder / "spool", stage.folder / "spool-aside"
    spool.rename(aside)
    spool.touch()
    try:
        eventually(lambda: stage.says("/health/ready", "access_log"))
        stage.lives()
    finally:
        spool.unlink()
        aside.rename(spool)
    stage.is_well_again()
