"""The end of a web process: its threads end beside each other."""

import logging
import threading
from collections.abc import Iterator

import pytest

from hms.farewell import end_together


@pytest.fixture
def forever() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_one_that_hangs_keeps_none_from_finishing(forever: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []
    alone = threading.Barrier(2, timeout=2)  # both at once, or neither

    def ends() -> None:
        alone.wait()
        ended.append(1)

    def hangs() -> None:
        forever.wait()

    with caplog.at_level(logging.WARNING, "hms.farewell"):
        end_together([hangs, ends, ends], within=2)
    assert ended == [1, 1]
    assert [record.getMessage() for record in caplog.records] == [f"{__name__} did not end within 2 s."]
