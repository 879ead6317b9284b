"""500 streams while 50 changes a second are committed; and fewer while connections are cut and PostgreSQL restarts."""

import asyncio
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest

from core.database.embedded import EmbeddedPostgres
from tests.factories.server import serving
from tests.load.streams import load, seed

pytestmark = [pytest.mark.slow, pytest.mark.server]
P99 = 250.0  # ms


def test_five_hundred_streams() -> None:
    with serving("streams", seed=seed, static=False) as server:
        result = asyncio.run(load(server, streams=500, per_second=50, seconds=60))
    print(result)  # noqa: T201 (shown with -s, and when it fails)
    assert not result.wrong and not any(one.resyncs for one in result.clients), result.wrong[:5]
    assert len(result.milliseconds) == 500 // 10 * result.commits
    assert result.at(0.99) < P99, str(result)


def test_nothing_is_missed_whatever_breaks() -> None:
    """Connections are cut all the time; in the middle the listeners are killed, then PostgreSQL is stopped and started."""
    folder = Path(tempfile.mkdtemp(prefix="hms-streams-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "postgres")

    def trouble() -> None:
        with psycopg.connect(postgres.url("postgres", "hms_streams"), autocommit=True) as connection:
            for _ in range(3):
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hms listener'")
                time.sleep(1)
        postgres.stop()
        time.sleep(2)
        postgres.ensure_running()

    try:
        with serving("streams", seed=seed, static=False, variables={"HMS_VAR_DIR": str(folder), "DATABASE_URL": ""}) as server:
            connect = partial(psycopg.connect, postgres.url("hms_maintenance", "hms_streams"))
            result = asyncio.run(load(server, streams=200, per_second=20, seconds=40, cuts=5, trouble=trouble, connect=connect))
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)
    print(result)  # noqa: T201
    assert result.failures, "PostgreSQL was never away"
    assert sum(one.connections for one in result.clients) > 200
    assert not result.wrong, result.wrong[:5]
