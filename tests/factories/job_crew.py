"""Real workers before a database of their own, with a broker in a folder or a Redis."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from psycopg.rows import dict_row

from core.database.embedded import EmbeddedPostgres
from tests.factories.job_clock import FOLDER, HOURS
from tests.factories.job_kinds import TABLES
from tests.factories.patience import PATIENCE
from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.server import ROOT, URL_NAMES, database_of_its_own, prepared

LEASE = 3  # seconds


@dataclass
class Crew:
    environment: dict[str, str]
    admin: str
    log: Path
    redis: RedisServer | None
    connection: psycopg.Connection[Any]
    postgres: EmbeddedPostgres | None = None  # its own, which may be hurt
    driver: "subprocess.Popen[str] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    # --- What HMS does --------------------------------------------------------------------------------------------------
    def ask(self, name: str, **given: Any) -> Any:
        """Let the driver do something. Raises AssertionError with what went wrong."""
        if self.driver is None:
            command = [sys.executable, "-m", "tests.factories.job_driver"]
            self.driver = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.with_name("driver").open("w"),
            )  # fmt: skip
        assert self.driver.stdin and self.driver.stdout
        self.driver.stdin.write(json.dumps([name, given]) + "\n")
        self.driver.stdin.flush()
        answer = json.loads(self.driver.stdout.readline() or '{"error": "the driver died"}')
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def ask_again(self, name: str, **given: Any) -> Any:
        """Ask until it is answered, like anybody who was told that the database was away."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.ask(name, **given)
            except AssertionError:
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def enqueue(self, kind: str, **more: Any) -> str:
        (job_id,) = self.ask("enqueue", kind=kind, times=1, **more)
        return str(job_id)

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True).stdout

    # --- What there is to see -------------------------------------------------------------------------------------------
    def job(self, job_id: str) -> dict[str, Any]:
        found = self.connection.execute("SELECT * FROM core_job WHERE id = %s", [job_id]).fetchone()
        return found or {}

    def effects(self, job_id: str) -> int:
        """How many effects of this job are committed."""
        row = self.connection.execute("SELECT count(*) AS n FROM test_effect WHERE job = %s", [job_id]).fetchone()
        assert row
        return int(row["n"])

    def count(self, where: str) -> int:
        row = self.connection.execute(f"SELECT count(*) AS n FROM core_job WHERE {where}").fetchone()
        assert row
        return int(row["n"])

    def until(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not come.\n{self.log.read_text()[-4000:]}"
            time.sleep(0.02)
        return found

    def ends(self, job_id: str, state: str = "succeeded") -> dict[str, Any]:
        over = ("succeeded", "failed", "dead", "cancelled")
        found: dict[str, Any] = self.until(
            lambda: (job := self.job(job_id))["state"] in over and job, f"the end of {self.job(job_id)}"
        )
        assert found["state"] == state, found
        return found

    def runs(self, job_id: str) -> dict[str, Any]:
        """Wait until it has done its first part, which says 40 %."""
        found: dict[str, Any] = self.until(lambda: (job := self.job(job_id))["progress"] >= 40 and job, "a running job")
        return found

    @contextmanager
    def held(self, lock: int) -> Iterator[None]:
        """Jobs that ask for this lock wait meanwhile."""
        self.connection.execute("SELECT pg_advisory_lock(%s)", [lock])
        try:
            yield
        finally:
            self.connection.execute("SELECT pg_advisory_unlock(%s)", [lock])

    # --- Processes ------------------------------------------------------------------------------------------------------
    def start(self, *arguments: str, hours: float = 0, **variables: str) -> "subprocess.Popen[bytes]":
        """`manage.py` with these, its clock so many hours off; it has a session of its own."""
        environment = self.environment | variables | {HOURS: str(hours)}
        with self.log.open("ab") as output:
            one = subprocess.Popen(
                [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.workers.append(one)
        return one

    def family(self, *parts: str, of: "subprocess.Popen[bytes] | None" = None) -> "list[Process]":
        """The processes below those that were started (or that one), whose command has all these parts."""
        return [one for one in descendants({each.pid for each in [of] if each} or {each.pid for each in self.workers})
                if all(part in one.command for part in parts)]  # fmt: skip

    def set_clock(self, pid: int, hours: float) -> Path:
        """Let the clock of a process jump to so many hours off; returns the file that is there when it has."""
        told = Path(self.environment[FOLDER]) / str(pid)
        draft = told.with_suffix(".new")
        draft.write_text(f"{hours}")
        told.with_suffix(".done").unlink(missing_ok=True)
        draft.replace(told)
        return told.with_suffix(".done")

    def restart_postgres(self, mode: str) -> None:
        """`fast` cuts every connection, `immediate` is a crash."""
        assert self.postgres is not None
        self.postgres._run("pg_ctl", "-D", "data", "-m", mode, "-w", "-t", "60", "stop")
        self.connection.close()
        self.postgres.ensure_running()
        self.connection = _connected(self.admin)

    def stop(self, one: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> None:
        """Tell a process that was started to end, and forget it."""
        self.workers.remove(one)
        one.send_signal(number)

    def wait_until_working(self, kinds: tuple[str, ...] = ("test.plain", "test.urgent", "test.bulk")) -> None:
        for job_id in [self.enqueue(kind) for kind in kinds]:
            self.ends(job_id)

    def end(self) -> None:
        for one in self.workers:
            one.send_signal(signal.SIGTERM)
        for one in self.workers:
            try:
                one.wait(30)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        if self.driver is not None:
            self.driver.kill()
            self.driver.wait()


class Process(NamedTuple):
    pid: int
    parent: int
    command: str

    def signal(self, number: int) -> bool:
        """False when it has ended meanwhile."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def lives(pid: int) -> bool:
    return any(one.pid == pid for one in _processes())


def descendants(pids: set[int]) -> list[Process]:
    """The processes below these."""
    found: list[Process] = []
    known, everybody = set(pids), _processes()
    while new := [one for one in everybody if one.parent in known and one.pid not in known]:
        found += new
        known |= {one.pid for one in new}
    return found


def _processes() -> list[Process]:
    """Of the machine, but for those that have ended and wait for their parent to notice."""
    told = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], check=True, capture_output=True, text=True).stdout
    lines = [line.split(None, 3) for line in told.splitlines()]
    return [Process(int(pid), int(parent), rest[0] if rest else "") for pid, parent, stat, *rest in lines if "Z" not in stat]


def worker_pid(job: dict[str, Any]) -> int:
    return int(job["worker"].rpartition(":")[2])


@contextmanager
def crew(name: str, *, with_redis: bool, own_postgres: bool = False, variables: dict[str, str] | None = None) -> Iterator[Crew]:
    """A database, a broker and no worker yet: `start` them. `variables` are added to their environment."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hms-jobs-")))
        redis = stack.enter_context(redis_server()) if with_redis else None
        postgres = None
        if own_postgres:
            environment, admin, postgres = stack.enter_context(postgres_of_its_own(folder))
        else:
            database = f"{name}_{'redis' if redis else 'folder'}"
            shutil.rmtree(settings.VAR_DIR / "broker" / f"hms_{database}", ignore_errors=True)  # what an earlier crew left
            environment, admin = stack.enter_context(database_of_its_own(database))
        environment |= _variables(folder, redis) | (variables or {})
        found = Crew(environment, admin, folder / "log", redis, _connected(admin), postgres)
        found.log.touch()
        (folder / "clocks").mkdir()
        found.connection.execute(TABLES)
        try:
            yield found
        finally:
            found.end()
            found.connection.close()


@contextmanager
def postgres_of_its_own(folder: Path) -> Iterator[tuple[dict[str, str], str, EmbeddedPostgres]]:
    folder.chmod(0o755)  # the server may run as another user
    postgres = EmbeddedPostgres(folder / "postgres", os.environ.get("HMS_POSTGRES_BIN", ""))
    nowhere = dict.fromkeys(("DATABASE_URL", *URL_NAMES.values()), "")
    environment = os.environ | nowhere | {"HMS_VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "hms.settings"}
    try:
        prepared(environment)
        yield environment, postgres.url("postgres"), postgres
    finally:
        postgres.remove()


def _connected(admin: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(admin, autocommit=True, row_factory=dict_row)


def _variables(folder: Path, redis: RedisServer | None) -> dict[str, str]:
    return {
        "HMS_PROCESS": "web",  # the driver is to HMS what a web process is
        "DB_POOL_MAX": "10",
        "HMS_JOB_MODULES": ",".join(f"tests.factories.job_{name}" for name in ("clock", "kinds", "schedule")),
        "HMS_JOB_LEASE": str(LEASE),
        "DB_LOCK_LIMIT": "60000",  # ms: tests hold rows for longer than anybody else does
        "REDIS_URL": redis.url if redis else "",
        "HMS_BROKER_URL": redis.url if redis else "filesystem://localhost",
        "HMS_AUDIT_ANCHORS_DIR": str(folder / "anchors"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        FOLDER: str(folder / "clocks"),
    }
