"""The broker that is a folder, between one that writes and one that reads."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection  # type: ignore[attr-defined]

from core.jobs.broker import make_folders
from tests.factories.patience import PATIENCE

MESSAGES = 2000
LONG = "x" * 100_000  # takes a moment to write


@pytest.fixture
def channels(tmp_path: Path, settings: Any) -> Iterator[list[Any]]:
    settings.HMS_BROKER_URL = "filesystem://localhost"
    settings.HMS_BROKER_OPTIONS = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    make_folders()
    options = settings.HMS_BROKER_OPTIONS
    with Connection(settings.HMS_BROKER_URL, transport_options=options) as connection:  # type: ignore[no-untyped-call]
        yield [connection.channel(), connection.channel()]


def test_whoever_reads_meanwhile_finds_whole_messages_alone(channels: list[Any]) -> None:
    writes, reads = channels
    written = threading.Thread(target=lambda: [writes._put("normal", {"number": one, "long": LONG}) for one in range(MESSAGES)])
    written.start()
    found: list[int] = []
    until = time.monotonic() + PATIENCE
    while len(found) < MESSAGES:
        assert time.monotonic() < until, "a message is lost"
        with suppress(Empty):
            found.append(reads._get("normal")["number"])
    written.join()
    assert sorted(found) == list(range(MESSAGES))
