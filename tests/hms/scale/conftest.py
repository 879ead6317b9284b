"""One small scale database for all tests here."""

from collections.abc import Iterator

import pytest

from tests.factories.scale import scale_database


@pytest.fixture(scope="session")
def scale(django_db_setup: None, worker_id: str) -> Iterator[str]:
    with scale_database(f"hms_scale_of_{worker_id}") as database:
        yield database
