"""One crew of workers for each broker, shared by this folder's tests."""

from collections.abc import Iterator

import pytest

from tests.factories.job_crew import Crew, crew

WORKERS = {"at_work", "broker"}  # what has processes of its own


@pytest.hookimpl(tryfirst=True)  # before the groups are read, also when only tests of this folder are asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs them all: each other one would start crews of its own."""
    for item in items:
        if "tests/core/jobs/" in str(item.path) and WORKERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("jobs"))


@pytest.fixture(scope="package", params=["folder", "redis"])
def at_work(request: pytest.FixtureRequest, worker_id: str, django_db_setup: None) -> Iterator[Crew]:
    with crew(f"jobs_{worker_id}", with_redis=request.param == "redis") as found:
        found.start("worker", "--processes", "2")
        found.wait_until_working()
        yield found
