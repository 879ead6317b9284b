"""The commands of the documents do what the documents say, on a running HMS."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.factories.server import ROOT, Server


def commands_of(document: Path) -> str:
    """The shell commands of a document, in their order."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", document.read_text(), flags=re.DOTALL | re.MULTILINE))


def test_the_integrators_visit_from_sign_in_to_done(server: Server) -> None:
    for program in ("bash", "curl", "jq"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    script = commands_of(ROOT / "docs" / "integrators.md")
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | {"HMS": server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "Riverside Practice"
    visit, taken, not_modified, moved, stale, *steps, start, content, refused = lines[-13:]
    assert re.fullmatch(r"[0-9a-f-]{36}", visit)
    assert (taken, not_modified, moved, stale) == ("CONFLICT", "304", "200", "PRECONDITION_FAILED")
    assert steps == ["checked_in", "in_progress", "completed", "CONFLICT", "completed"]
    assert re.match(r"\d{4}-\d\d-\d\dT", start)
    assert (content, refused) == ("Dear colleague, please see and advise.", "file: program")
