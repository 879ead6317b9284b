"""What tests of several parts of the core share."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.database.embedded import EmbeddedPostgres
from core.database.roles import connection_apart

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded database's user can reach (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="hms-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    """make(name) -> a cluster in the folder; whatever was made is stopped and removed."""
    made: list[EmbeddedPostgres] = []

    def cluster(name: str = "postgres", binaries: str = "") -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(folder / name, binaries))
        return made[-1]

    yield cluster
    for postgres in made:
        postgres.remove()


@pytest.fixture
def worn(world: Any) -> Iterator[str]:
    """A committed table most of whose rows are gone: its index is still as large as before."""
    with connection_apart("hms_owner") as connection:
        connection.execute("CREATE TABLE planted_worn (id int PRIMARY KEY, name text)")
        try:
            connection.execute("ALTER TABLE planted_worn SET (autovacuum_enabled = false)")
            connection.execute("INSERT INTO planted_worn SELECT n, md5(n::text) FROM generate_series(1, 60000) n")
            connection.execute("CREATE INDEX planted_worn_name ON planted_worn (name)")
            connection.execute("DELETE FROM planted_worn WHERE id > 3000")
            connection.execute("SELECT pg_stat_force_next_flush()")
            yield "planted_worn"
        finally:
            connection.execute("DROP TABLE planted_worn")
