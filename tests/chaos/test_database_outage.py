"""PostgreSQL is killed, and stalls, while people work: everybody is told at once, nothing that was promised is lost."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from core.database.embedded import EmbeddedPostgres
from tests.chaos.load import Load, percentile, spread
from tests.factories.databases import pids_of
from tests.factories.patience import eventually
from tests.factories.server import Server, serving
from tests.load.races import seed

WRITERS, READERS = 4, 4
NOTICED = 1.5  # seconds until every process has noticed that the server is gone
DEADLINE = 5.0  # seconds until a process gives a stalled server up
AT_ONCE = 0.1  # seconds
RECOVERED = 15.0  # seconds after which everybody is served again
TWICE = "SELECT provider_id::text, start, count(*) FROM appointments_appointment GROUP BY 1, 2"


@dataclass
class Stage:
    """A server with a PostgreSQL of its own, which may be hurt."""

    server: Server
    postgres: EmbeddedPostgres
    load: Load

    def everybody_is_served(self, since: float) -> bool:
        """Has every path, and a booking, succeeded since then?"""
        answers = self.load.between(since, time.monotonic(), lambda told: told.status in (200, 201, 302))
        last = self.load.between(time.monotonic() - 1, time.monotonic())
        return any(told.kind == "write" for told in answers) and bool(last) and all(told.status < 500 for told in last)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="hms-outage-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        with serving("outage", seed=seed, static=False, variables={"HMS_VAR_DIR": str(folder), "DATABASE_URL": ""}) as server:
            load = Load(server.host, server.seeded)
            load.sign_in()
            yield Stage(server, postgres, load)
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


def outage(stage: Stage, name: str, hurt: Callable[[], None], heal: Callable[[], None], *, noticed: float, lasts: float) -> str:
    """Hurt PostgreSQL under load and heal it again; returns what was seen."""
    load = stage.load
    time.sleep(2)
    began = time.monotonic()
    hurt()
    time.sleep(noticed + lasts)
    ended = time.monotonic()
    heal()
    healed = time.monotonic()
    eventually(lambda: stage.everybody_is_served(healed), RECOVERED + 5)
    recovered = time.monotonic() - 1 - healed  # a whole second without trouble is part of being served
    during = load.between(began + noticed, ended)
    assert during, f"{name}: nobody who asked while it was away was answered before it was back"
    served = [told.served_in for told in during]
    seen = (
        f"{name}: while it was away {dict(load.statuses(began + noticed, ended))}; in the server {spread(served)}, for the client "
        f"{spread([told.seconds for told in during])}; in the first {noticed} s {dict(load.statuses(began, began + noticed))}; "
        f"everybody served {max(recovered, 0):.1f} s after it was back"
    )
    print(seen)  # noqa: T201 (shown with -s, and when it fails)
    assert {told.status for told in during} == {503}, seen
    assert all(told.retry_after for told in during), seen
    assert percentile(served, 0.99) < AT_ONCE, seen
    assert recovered < RECOVERED, seen
    return seen


@pytest.mark.slow
@pytest.mark.server
def test_postgresql_killed_twice_and_stalled_once_under_load(stage: Stage) -> None:
    load = stage.load
    began = time.monotonic()
    worker_ids = _children_of(stage.server)

    def kill() -> None:
        for pid in pids_of(stage.postgres):
            os.kill(pid, signal.SIGKILL)

    stopped: list[int] = []

    def stall() -> None:
        stopped.extend(pids_of(stage.postgres))
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

    def resume() -> None:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    with load.running(WRITERS, READERS):
        outage(stage, "killed", kill, stage.postgres.ensure_running, noticed=NOTICED, lasts=2)
        outage(stage, "killed again", kill, stage.postgres.ensure_running, noticed=NOTICED, lasts=2)
        outage(stage, "stalled", stall, resume, noticed=DEADLINE + NOTICED, lasts=3)
        time.sleep(1)
    assert load.lost == []
    assert set(load.statuses(began, time.monotonic())) <= {200, 201, 302, 409, 503}
    assert all(told.retry_after for told in load.between(began, time.monotonic(), lambda told: told.status == 409))  # busy
    assert _children_of(stage.server) == worker_ids, "HMS was restarted"
    _nothing_is_lost_or_twice(stage)


def _nothing_is_lost_or_twice(stage: Stage) -> None:
    """Every booking that was answered 201 is there once, and no other."""
    promised = sorted(stage.load.booked)
    with psycopg.connect(stage.postgres.url("postgres", stage.server.database), options="-c TimeZone=UTC") as connection:
        rows = connection.execute(TWICE).fetchall()
    assert sorted((provider, start.isoformat()) for provider, start, _ in rows) == promised
    assert {count for _, _, count in rows} == {1}
    print(f"{len(promised)} bookings were promised, each is there once")  # noqa: T201


def _children_of(server: Server) -> set[str]:
    assert server.process is not None
    pid = server.process.pid
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
