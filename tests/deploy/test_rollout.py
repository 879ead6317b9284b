"""The next release, with a migration, while 50 requests a second come in through nginx and jobs are done: none may fail."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.factories.callers import PASSWORD
from tests.factories.deployed import RATE, Load, Machine, machine, registered, reload, variables_behind_nginx
from tests.factories.nginx import PROGRAM, Proxy, proxied
from tests.factories.patience import eventually
from tests.factories.releases import first_release, next_release, put_in_place
from tests.factories.server import collect_static_files, database_of_its_own

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="needs nginx"), pytest.mark.thorough]
DESK = {"email": "receptionist@riverside.demo", "password": PASSWORD}
JOBS = 40


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("releases")
    first = first_release(folder / "first")
    return first, next_release(first, folder / "next")


@pytest.fixture
def database(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[tuple[dict[str, str], str]]:
    with database_of_its_own(f"rollout_{len(request.node.name)}") as (environment, admin):
        environment |= variables_behind_nginx()
        collect_static_files(environment)
        yield environment, admin


class Jobs:
    """Jobs of the installation itself, put into its ledger while the worker is restarted."""

    def __init__(self, machine: Machine, connection: "psycopg.Connection[Any]") -> None:
        self.machine, self.connection = machine, connection

    def enqueue(self, count: int) -> None:
        code = (
            "from core.jobs.services import enqueue; from core.tenancy.context import Scope, unit_of_work\n"
            "with unit_of_work(Scope(reason='test')):\n"
            f"    [enqueue('external_systems.check') for _ in range({count})]"
        )
        self.machine.manage(self.machine.app.resolve(), "shell", "--no-imports", "-c", code)

    def left(self) -> int:
        row = self.connection.execute("SELECT count(*) FROM core_job WHERE state IN ('queued', 'retrying', 'running')").fetchone()
        assert row
        return int(row[0])


def signed_in(proxy: Proxy) -> str:
    with httpx.Client(base_url=f"https://{proxy.host}", verify=proxy.tls, timeout=60) as client:
        said: str = client.post("/api/v2/auth/token", json=DESK).json()["data"]["access"]
    return said


@pytest.mark.parametrize("servers", [1, 2], ids=["reloaded", "one_by_one"])
def test_the_next_release_loses_no_request(
    servers: int, database: tuple[dict[str, str], str], releases: tuple[Path, Path], tmp_path: Path
) -> None:
    environment, admin = database
    first, following = releases
    with machine(tmp_path, first, environment, servers=servers) as hms, psycopg.connect(admin, autocommit=True) as connection:
        hms.manage(first, "seed_demo")
        (tmp_path / "nginx").mkdir()
        with proxied(tmp_path / "nginx", *[f"127.0.0.1:{port}" for port in hms.web]) as proxy:
            with Load(proxy, signed_in(proxy)) as load:
                assert set(load.more(5 * RATE)) == {""}
                assert "brief" in hms.manage(following, "preflight", "--strict")
                hms.manage(following, "migrate", "-v0")
                load.more(2 * RATE)
                put_in_place(hms.app, following)
                Jobs(hms, connection).enqueue(JOBS)
                replace_web(hms)
                hms.restart_worker()
                Jobs(hms, connection).enqueue(JOBS)
                load.more(load.CALLERS)  # those that were under way
                assert set(load.more(5 * RATE)) == {"next"}
                eventually(lambda: not Jobs(hms, connection).left(), seconds=120)
            said = f"{load.total} requests in {load.seconds:.0f} s, latest {load.latest:.2f} s: {dict(load.answers)}"
            logging.getLogger(__name__).info(said)
            assert not load.failures, (load.failures[:10], said, hms.log.read_text()[-3000:])
            assert registered(connection) == sorted(load.names)
            row = connection.execute("SELECT count(*) FILTER (WHERE state = 'succeeded'), count(*) FROM core_job "
                                     "WHERE kind = 'external_systems.check'").fetchone()  # fmt: skip
            assert row and row[0] == row[1] >= 2 * JOBS, row


def replace_web(hms: Machine) -> None:
    """One server is reloaded; several are stopped and started one after the other."""
    if len(hms.web) == 1:
        reload(next(iter(hms.web.values())))
        return
    for port, process in list(hms.web.items()):
        process.terminate()
        process.wait(90)
        hms.start_web(port)
