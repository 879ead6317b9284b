"""The cache's promise under fire: four processes read and write while processes, Redis and listeners are shot at."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.chaos.cache_history import Board
from tests.factories.redis_server import RedisServer, redis_server
from tests.factories.server import ROOT, database_of_its_own

pytestmark = pytest.mark.slow

SECONDS = int(os.environ.get("HMS_STRESS_SECONDS", "20"))
PROCESSES = 4
MAKE = (
    "INSERT INTO core_user (id, password, email, full_name, platform_role, is_active, created_at) "
    "SELECT gen_random_uuid(), '', 'counter' || n || '@hms.test', '0', '', true, now() FROM generate_series(1, 6) n RETURNING id"
)


class Shooting:
    """The processes, and what is done to them."""

    def __init__(self, folder: Path, environment: dict[str, str], database: Any, redis: RedisServer | None) -> None:
        self.folder, self.environment, self.redis = folder, environment, redis
        self.connection: psycopg.Connection[Any] = database
        self.ids = [str(row[0]) for row in self.connection.execute(MAKE).fetchall()]  # type: ignore[arg-type]
        self.board = Board(folder, len(self.ids))
        self.running = [self.start() for _ in range(PROCESSES)]
        self.done: dict[str, int] = {}

    def start(self) -> "subprocess.Popen[bytes]":
        log = (self.folder / "log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.cache_history", str(self.folder), ",".join(self.ids)],
            cwd=ROOT, env=self.environment, stdout=log, stderr=log,
        )  # fmt: skip

    def shoot(self) -> None:
        shots = [self.psql, self.psql, self.kill, self.terminate_listeners]
        if self.redis is not None:
            shots += [self.restart_redis, self.stall_redis]
        shot = random.choice(shots)
        shot()
        self.done[shot.__name__] = self.done.get(shot.__name__, 0) + 1

    def psql(self) -> None:
        counter = random.randrange(len(self.ids))
        (number,) = self.connection.execute(
            "UPDATE core_user SET full_name = (full_name::int + 1)::text WHERE id = %s RETURNING full_name::int",
            [self.ids[counter]],
        ).fetchone()  # type: ignore[misc]
        self.board.wrote(counter, number, at_once=False)

    def kill(self) -> None:
        victim = self.running.pop(random.randrange(len(self.running)))
        victim.kill()
        victim.wait(10)
        self.running.append(self.start())

    def terminate_listeners(self) -> None:
        self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hms listener' "
            "AND datname = current_database() AND random() < 0.7"
        )

    def restart_redis(self) -> None:
        assert self.redis
        self.redis.kill()
        time.sleep(random.uniform(0, 0.5))
        self.redis.start()

    def stall_redis(self) -> None:
        assert self.redis
        self.redis.stall()
        time.sleep(random.uniform(0.02, 1.5))
        self.redis.resume()

    def end(self) -> dict[str, float]:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(30)
        totals: dict[str, float] = {}
        for line in (self.folder / "figures").read_text().splitlines():
            for name, value in json.loads(line).items():
                totals[name] = totals.get(name, 0) + value
        return totals


@contextmanager
def shooting(tmp_path: Path, redis: RedisServer | None) -> Iterator[Shooting]:
    with ExitStack() as stack:
        environment, admin = stack.enter_context(database_of_its_own("cache_stress"))
        environment |= {"REDIS_URL": redis.url if redis else "", "REDIS_ENABLED": "true", "LOG_LEVEL": "ERROR"}
        connection = stack.enter_context(psycopg.connect(admin, autocommit=True))
        shooting = Shooting(tmp_path, environment, connection, redis)
        try:
            yield shooting
        finally:
            for process in shooting.running:
                process.kill()
                process.wait(10)


@pytest.mark.parametrize("with_redis", [False, True], ids=["memory", "redis"])
def test_no_read_is_older_than_promised(tmp_path: Path, with_redis: bool) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server()) if with_redis else None
        shots = stack.enter_context(shooting(tmp_path, redis))
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(random.uniform(0.1, 0.8))
            shots.shoot()
        time.sleep(2)  # the last ones that were started get to work
        totals = shots.end()
        log = (tmp_path / "log").read_text()
        sys.stdout.write(json.dumps({"shots": shots.done, "totals": totals}) + "\n")
        broken = tmp_path / "broken"
        assert not broken.exists(), broken.read_text()[:2000] + log[-2000:]
        assert "Traceback" not in log, log[-3000:]
        assert totals["memory_hits"] + totals["redis_hits"] > 1000
        assert totals["invalidated"] > 20
