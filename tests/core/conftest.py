"""What tests of several parts of the core share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded database's user can reach (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="hms-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
