"""What no one thought of: thousands of requests made from the OpenAPI documents, by several roles, in both versions."""

import re
from pathlib import Path

import pytest

from tests.contract.fuzzing import run
from tests.factories.callers import Caller
from tests.factories.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.server]
COVERAGE = ("--phases", "examples,coverage")
EVERYTHING = ("--phases", "examples,coverage,fuzzing", "--max-time", "90")  # seconds; the fuzzing takes what the others leave


@pytest.mark.parametrize(
    ("who", "version", "options"),
    [
        ("clinic-admin", "2.0", EVERYTHING),
        ("clinic-admin", "1.0", COVERAGE),
        ("receptionist", "2.0", COVERAGE),
        ("doctor", "2.0", COVERAGE),
        ("auditor", "2.0", COVERAGE),
        ("patient", "2.0", COVERAGE),
    ],
)
def test_no_request_gets_an_answer_that_is_not_described(
    server: Server, tmp_path: Path, who: str, version: str, options: tuple[str, ...]
) -> None:
    done = run(server, Caller(server, f"{who}@riverside.demo"), version, tmp_path, *options)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated and int(generated[1]) > 1000
