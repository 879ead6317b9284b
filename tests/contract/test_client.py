"""The typed client that anybody can generate from the document does a visit, and fits it to the letter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.callers import PASSWORD
from tests.factories.server import ROOT, Server

VISIT = ROOT / "tests" / "contract" / "typed_visit.py"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package `hms_client`, as `make client` makes it."""
    folder = tmp_path_factory.mktemp("client")
    done = subprocess.run(["scripts/make_client.sh", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.server
def test_a_visit_by_the_generated_client(client: Path, server: Server) -> None:
    command = [sys.executable, str(VISIT), server.url, "receptionist@riverside.demo", PASSWORD]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(client)}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    email, mrn, *statuses = done.stdout.split()
    assert (email, mrn[:3], statuses) == ("receptionist@riverside.demo", "RV-", ["confirmed", "checked_in"])


@pytest.mark.slow
def test_its_types_hold_in_strict_mypy(client: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        os.devnull,
        "--cache-dir",
        str(client / "cache"),
        str(VISIT),
    ]
    done = subprocess.run(
        command, cwd=client, env=os.environ | {"MYPYPATH": str(client)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
