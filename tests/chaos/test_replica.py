"""A real streaming standby: who wrote sees it, who only reads is served from there, and nobody notices when it goes away."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.database.embedded import EmbeddedPostgres
from tests.factories.databases import pids_of
from tests.factories.patience import eventually
from tests.factories.server import serving
from tests.load import races

pytestmark = [pytest.mark.slow, pytest.mark.server]


def seed() -> dict[str, Any]:
    """The races' clinic with a second receptionist, who only reads."""
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic

    seeded = races.seed()
    clinic = Clinic.objects.get()
    reader = User.objects.create_user("reader@races.test", races.PASSWORD, full_name="Reader")
    with clinic_scope(clinic, reason="replica"):
        Membership.objects.create(clinic=clinic, user=reader, roles=[Role.RECEPTIONIST])
    return seeded


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def id(self) -> str:
        found: str = self.body["data"]["id"]
        return found


@dataclass
class Person:
    """Signed in to the API; sends back neither cookie nor position unless told to."""

    host: str
    email: str
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def __post_init__(self) -> None:
        answer = self.ask("POST", "auth/token", {"email": self.email, "password": races.PASSWORD})
        self.headers["Authorization"] = f"Bearer {answer.body['data']['access']}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = HTTPConnection(self.host, timeout=30)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/api/v2/{path}", json.dumps(body) if body else None, self.headers | said)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        headers_back = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers_back, json.loads(content))

    def sees(self, booked: Answer, **headers: str) -> int:
        """The status of a look at the visit's history, which no cache keeps."""
        return self.ask("GET", f"appointments/{booked.id}/history", **headers).status


@dataclass
class Stage:
    """HMS with one web process, its PostgreSQL, and a standby of that."""

    host: str
    seeded: dict[str, Any]
    primary: EmbeddedPostgres
    standby: EmbeddedPostgres
    slots: Any = field(default_factory=count)

    def person(self, name: str) -> Person:
        return Person(self.host, f"{name}@races.test")

    def book(self, person: Person) -> Answer:
        slot = next(self.slots)
        first = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=1)
        start = first + timedelta(days=slot // races.PER_DAY, minutes=20 * (slot % races.PER_DAY))
        own = {name: self.seeded[f"{name}s"][0] for name in ("provider", "patient", "room")}
        answer = person.ask("POST", "appointments", {"service": self.seeded["service"], "start": start.isoformat(), **own})
        assert answer.status == 201, answer
        return answer

    def on_standby(self, statement: str) -> Any:
        with psycopg.connect(self.standby.url("postgres", "postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="hms-replica-"))
    folder.chmod(0o755)
    primary, standby = EmbeddedPostgres(folder / "postgres"), EmbeddedPostgres(folder / "standby")
    variables = {
        "HMS_VAR_DIR": str(folder),
        "DATABASE_URL": "",
        "DATABASE_REPLICA_URL": standby.url("hms_app", "hms_replica"),
        "WEB_CONCURRENCY": "1",
    }
    try:
        with serving("replica", seed=seed, static=False, variables=variables) as server:
            standby.places.make()
            where = ["-h", str(primary.socket_dir), "-p", "5432", "-U", "postgres", "-D", str(standby.places.data)]
            standby.places.home.chmod(0o777)  # as root the server's user makes the copy
            primary._run("pg_basebackup", *where, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast")
            standby.ensure_running()
            yield Stage(server.host, server.seeded, primary, standby)
    finally:
        standby.remove()
        primary.remove()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_replica_serves_those_who_only_read_and_never_a_writer_too_early(stage: Stage) -> None:
    writer, reader = stage.person("races"), stage.person("reader")
    for _ in range(20):
        assert writer.sees(stage.book(writer)) == 200
    first = stage.book(writer)
    eventually(lambda: reader.sees(first) == 200)
    stage.on_standby("SELECT pg_wal_replay_pause()")
    eventually(lambda: stage.on_standby("SELECT pg_get_wal_replay_pause_state()") == "paused")
    try:
        booked = _not_yet_replayed(stage, writer, reader)
        position = booked.headers["x-hms-position"]
        assert writer.sees(booked) == 200, "the process knows who wrote"
        assert reader.sees(booked, X_HMS_Position=position) == 200, "whoever says the position is served by the primary"
        assert reader.sees(booked, Cookie=f"hms_position={position}") == 200
        assert reader.sees(first) == 200
        eventually(lambda: reader.sees(booked) == 200)  # a replica that is ten seconds behind serves nobody
        assert stage.on_standby("SELECT pg_get_wal_replay_pause_state()") == "paused"
    finally:
        stage.on_standby("SELECT pg_wal_replay_resume()")
    assert reader.sees(booked) == 200


def _not_yet_replayed(stage: Stage, writer: Person, reader: Person) -> Answer:
    """A booking that a reader doesn't see, so the replica was asked. Its breaker may still be open at first."""
    for _ in range(20):
        booked = stage.book(writer)
        if reader.sees(booked) == 404:
            return booked
        time.sleep(0.2)
    pytest.fail("The replica is never asked.")


def test_nobody_notices_when_the_replica_is_killed_stalls_and_comes_back(stage: Stage) -> None:
    writer, reader = stage.person("races"), stage.person("reader")
    booked = stage.book(writer)
    eventually(lambda: served_by_standby(stage, reader, booked))
    for pid in pids_of(stage.standby):
        os.kill(pid, signal.SIGKILL)
    assert [reader.sees(booked) for _ in range(50)] == [200] * 50
    stage.standby.ensure_running()
    eventually(lambda: served_by_standby(stage, reader, booked), 40)
    stopped = pids_of(stage.standby)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert [reader.sees(booked) for _ in range(50)] == [200] * 50
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: served_by_standby(stage, reader, booked), 40)


def served_by_standby(stage: Stage, reader: Person, booked: Answer) -> bool:
    """Do reads of the history read rows there?"""
    rows = "SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_user_tables WHERE relname = 'appointments_appointmentchange'"
    with psycopg.connect(stage.standby.url("postgres", "hms_replica"), autocommit=True) as connection:
        before = connection.execute(rows).fetchone()
        for _ in range(5):
            assert reader.sees(booked) == 200
        connection.execute("SELECT pg_sleep(1.1)")  # statistics are told once a second
        return connection.execute(rows).fetchone() != before
