"""Each thing that HMS needs is killed, stalled and started in turn while people ask: what is told where, and how soon?

`python -m tests.load.dependencies` prints the table of docs/monitoring.md.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import django
import psutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
django.setup()

from core.database.embedded import EmbeddedPostgres  # noqa: E402
from tests.factories.databases import pids_of  # noqa: E402
from tests.factories.endpoints import Endpoint, endpoints  # noqa: E402
from tests.factories.redis_server import RedisServer, redis_server  # noqa: E402
from tests.factories.server import ROOT, Server, serving  # noqa: E402

TOKEN = "t" * 40
CALLERS, PAUSE = 4, 0.2  # seconds between two requests of a caller
PATIENCE = 240.0  # seconds to wait for what takes a moment
HOLDS = 5  # seconds that a rule waits in this run


def seed() -> dict[str, Any]:
    """A person's token, rules that wait for seconds, and an external system. Runs in the server's environment."""
    from core.monitoring.models import AlertRule
    from tests.load import streams

    AlertRule.objects.update(seconds=HOLDS, quiet_minutes=0)  # the same trouble comes twice
    return streams.seed()[0]


@dataclass
class Asked:
    """What callers were answered: how often each status, and the slowest in seconds. 0 is no answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0

    def __str__(self) -> str:
        said = ", ".join(f"{count} × {status or 'none'}" for status, count in sorted(self.statuses.items()))
        return f"{said}; at most {self.slowest:.1f} s"


@dataclass
class Outcome:
    """Seconds until it was told after the trouble began (`named`, `raised`) and after it ended (`well`, `resolved`)."""

    what: str
    how: str
    check: str
    ready: int = 0
    live: int = 0
    named: float = 0.0
    level: int = 0
    raised: float = 0.0
    alerts: int = 0
    well: float = 0.0
    resolved: float = 0.0
    health_slowest: float = 0.0
    asked: Asked = field(default_factory=Asked)

    def row(self) -> str:
        level = {1: "degraded", 2: "unhealthy"}[self.level]
        times = [f"{one:.1f}" for one in (self.named, self.health_slowest, self.raised, self.well, self.resolved)]
        named, slowest, raised, well, resolved = times
        told = [self.what, self.how, f"`{self.check}` {level}", f"{self.ready}, {self.live}", named, slowest, raised]
        cells = [*told, str(self.alerts), well, resolved, str(self.asked)]
        return f"| {' | '.join(cells)} |"


HEAD = """\
| what | how | told by | ready, live | named after s | slowest answer of health, s | alert after s | alerts | well after s | resolved after s | people's requests meanwhile |
|---|---|---|---|---|---|---|---|---|---|---|"""  # noqa: E501  (a row of a table)


@dataclass
class Stage:
    server: Server
    postgres: EmbeddedPostgres
    redis: RedisServer
    hook: Endpoint
    system: Endpoint
    folder: Path
    worker: "subprocess.Popen[bytes] | None" = None
    slowest: float = 0.0

    # --- Asking -----------------------------------------------------------------------------------------------------------------
    def ask(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection(self.server.host, timeout=30)
        began = time.monotonic()
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
            self.slowest = max(self.slowest, time.monotonic() - began)

    def status(self, check: str) -> str:
        found: str = json.loads(self.ask("/health/detailed")[1])["checks"].get(check, {}).get("status", "")
        return found

    def level(self, check: str) -> int | None:
        """As /metrics has it."""
        found = re.search(rf'hms_check_status{{check="{check}"}} ([\d.]+)', self.ask("/metrics")[1])
        return None if found is None else int(float(found[1]))

    def told(self, event: str, check: str) -> int:
        """How many alerts about it the webhook was told of."""
        said = [json.loads(one.body) for one in self.hook.taken]
        return sum(one["event"] == event and one["subject"] == check for one in said)

    @contextmanager
    def callers(self) -> Iterator[Asked]:
        """People who ask all the time."""
        asked, over, lock = Asked(), threading.Event(), threading.Lock()
        headers = {"Authorization": f"Bearer {self.server.seeded['tokens'][0]}"}
        paths = ("/api/v2/appointments", "/api/v2/patients", f"/api/v2/appointments/{self.server.seeded['visit']}")

        def call(number: int) -> None:
            while not over.wait(PAUSE):
                number += 1
                connection, began = HTTPConnection(self.server.host, timeout=30), time.monotonic()
                try:
                    connection.request("GET", paths[number % len(paths)], headers=headers)
                    status = connection.getresponse().status
                except (OSError, HTTPException):
                    status = 0
                finally:
                    connection.close()
                with lock:
                    asked.statuses[status] += 1
                    asked.slowest = max(asked.slowest, time.monotonic() - began)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield asked
        finally:
            over.set()
            for thread in threads:
                thread.join()

    # --- Workers ----------------------------------------------------------------------------------------------------------------
    def start_worker(self) -> None:
        with self.server.log.with_name("worker").open("ab") as output:
            self.worker = subprocess.Popen(
                [sys.executable, "manage.py", "worker", "--together"],
                cwd=ROOT, env=self.server.environment, stdout=output, stderr=output,
            )  # fmt: skip

    def crew(self) -> list[int]:
        """The worker's processes."""
        assert self.worker is not None
        parent = psutil.Process(self.worker.pid)
        return [parent.pid, *(one.pid for one in parent.children(recursive=True))]


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> float:
    """The seconds until it is so. Raises TimeoutError."""
    began = time.monotonic()
    while not true():
        if time.monotonic() > began + seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.2)
    return time.monotonic() - began


def signalled(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


@contextmanager
def hurt(begin: Callable[[], Any], end: Callable[[], Any]) -> Iterator[None]:
    begin()
    try:
        yield
    finally:
        end()


def stalled(pids: list[int]) -> AbstractContextManager[None]:
    return hurt(partial(signalled, pids, signal.SIGSTOP), partial(signalled, pids, signal.SIGCONT))


def killed_database(stage: Stage) -> AbstractContextManager[None]:
    return hurt(partial(signalled, pids_of(stage.postgres), signal.SIGKILL), stage.postgres.ensure_running)


def killed_redis(stage: Stage) -> AbstractContextManager[None]:
    return hurt(stage.redis.kill, stage.redis.start)


def killed_worker(stage: Stage) -> AbstractContextManager[None]:
    def kill() -> None:
        assert stage.worker is not None
        signalled(stage.crew(), signal.SIGKILL)
        stage.worker.wait()

    return hurt(kill, stage.start_worker)


def closed_spool(stage: Stage) -> AbstractContextManager[None]:
    spool, aside = stage.folder / "spool", stage.folder / "spool-aside"

    def close() -> None:
        spool.rename(aside)
        spool.touch()

    def open_again() -> None:
        spool.unlink()
        aside.rename(spool)

    return hurt(close, open_again)


type Trouble = Callable[[Stage], AbstractContextManager[None]]
# What, how, which check says so, how /health/ready answers meanwhile.
TROUBLES: tuple[tuple[str, str, str, int, Trouble], ...] = (
    ("PostgreSQL", "killed", "database", 503, killed_database),
    ("PostgreSQL", "stalled", "database", 503, lambda stage: stalled(pids_of(stage.postgres))),
    ("Redis", "killed", "broker", 200, killed_redis),
    ("Redis", "stalled", "broker", 200, lambda stage: hurt(stage.redis.stall, stage.redis.resume)),
    ("Redis", "killed", "cache", 200, killed_redis),
    ("workers and clock", "killed", "clock", 200, killed_worker),
    ("workers and clock", "stalled", "workers", 200, lambda stage: stalled(stage.crew())),
    ("spool of the access log", "can't be written", "access_log", 503, closed_spool),
    ("external system", "killed", "external_systems", 200, lambda stage: hurt(stage.system.kill, stage.system.revive)),
)


def has_level(found: Outcome, level: int | None) -> bool:
    """Each process keeps for seconds what it found: of the two, one may know sooner."""
    found.level = level or 0
    return found.level > 0


def happens(stage: Stage, what: str, how: str, check: str, trouble: Trouble) -> Outcome:
    """One row of the table. Raises TimeoutError with the name of the check."""
    found = Outcome(what, how, check)
    before = stage.told("alert.raised", check)
    stage.slowest = 0.0
    with stage.callers() as found.asked:
        began = time.monotonic()
        with trouble(stage):
            until(lambda: stage.status(check) in ("degraded", "unhealthy"))
            found.named = time.monotonic() - began
            until(lambda: has_level(found, stage.level(check)))
            until(lambda: stage.told("alert.raised", check) > before)
            found.raised = time.monotonic() - began
            found.ready, found.live = stage.ask("/health/ready")[0], stage.ask("/health/live")[0]
        ended = time.monotonic()
        until(lambda: stage.status(check) == "healthy" and stage.ask("/health/ready")[0] == 200)
        found.well = time.monotonic() - ended
        until(lambda: stage.told("alert.resolved", check) > before)
        found.resolved = time.monotonic() - ended
    found.alerts, found.health_slowest = stage.told("alert.raised", check) - before, stage.slowest
    return found


@contextmanager
def staged() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="hms-dependencies-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        with redis_server() as redis, endpoints(2) as (hook, system):
            systems = {"laboratory": {"kind": "lab", "endpoints": [system.url], "health_path": "/"}}
            variables = {
                "HMS_VAR_DIR": str(folder),
                "HMS_SPOOL_DIR": str(folder / "spool"),
                "DATABASE_URL": "",
                "REDIS_URL": redis.url,
                "HMS_MONITORING_TOKEN": TOKEN,
                "HMS_ALERTS": "1",
                "HMS_ALERT_WEBHOOK_URL": hook.url,
                "HMS_ALERT_WEBHOOK_SECRET": "s" * 40,
                "HMS_EXTERNAL_SYSTEMS": json.dumps(systems),
                "HMS_RATE_USER": "100000/m",
                "HMS_RATE_SEARCH": "100000/m",
            }
            with serving("dependencies", seed=seed, static=False, variables=variables) as server:
                stage = Stage(server, postgres, redis, hook, system, folder)
                stage.start_worker()
                try:
                    yield stage
                finally:
                    assert stage.worker is not None
                    signalled(stage.crew(), signal.SIGCONT)
                    stage.worker.terminate()
                    stage.worker.wait(70)
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


def all_well(stage: Stage) -> None:
    def is_well() -> bool:
        checks = json.loads(stage.ask("/health/detailed")[1])["checks"]
        unwell = {name for name, one in checks.items() if one["status"] != "healthy"} - {"disk", "memory"}
        return not unwell and stage.ask("/health/ready")[0] == 200

    until(is_well)


def main() -> None:
    from tests.load import dependencies  # by its module's name, for the process that runs its seed

    with dependencies.staged() as stage:
        all_well(stage)
        sys.stdout.write(f"{HEAD}\n")
        for what, how, check, _ready, trouble in TROUBLES:
            sys.stdout.write(f"{happens(stage, what, how, check, trouble).row()}\n")
            sys.stdout.flush()
            all_well(stage)


if __name__ == "__main__":
    main()
