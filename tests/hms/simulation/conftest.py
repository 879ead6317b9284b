"""One day of two clinics on a server of its own, played once for all tests of it."""

from collections.abc import Iterator

import pytest

from core.pages.demo import CLINICS
from hms.simulation.home import Home
from hms.simulation.playing import Outcome, simulate
from tests.factories.patience import UNHURRIED
from tests.factories.server import Server, serving

SEED = 20260609
PATIENTS = "80"  # of each clinic


@pytest.fixture(scope="session")
def server(worker_id: str) -> Iterator[Server]:
    """A running demo with tokens that outlive the tests."""
    commands = [["seed_demo", "--patients", PATIENTS]]
    variables = UNHURRIED | {"JWT_EXPIRES_IN": "2h"}
    with serving(f"simulated_{worker_id}", commands=commands, variables=variables) as served:
        yield served


@pytest.fixture(scope="session")
def demo(server: Server) -> Iterator[Home]:
    """The demo, and its database with all clinics in sight."""
    with server.connect() as connection:
        connection.autocommit = True
        yield Home(server.host, CLINICS, connection)


@pytest.fixture(scope="session")
def day(demo: Home) -> Outcome:
    """An hour and a half at a speed that no clinic would stand."""
    return simulate(demo, seed=SEED, speed=600, hours=1.5, say=print)
