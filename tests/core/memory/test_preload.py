"""Loaded before the fork: processes share memory, and nothing that must be each one's own."""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import psutil
import pytest

from hms.memory import freeze_before_forks
from tests.factories.patience import eventually
from tests.factories.server import Server, serving

TOKEN = "t" * 40


@pytest.fixture(scope="module")
def preloaded(django_db_setup: None, worker_id: str) -> Iterator[Server]:
    variables = {"HMS_PRELOAD": "1", "WEB_CONCURRENCY": "2", "HMS_MONITORING_TOKEN": TOKEN}
    with serving(f"preloaded_{worker_id}", static=False, variables=variables) as server:
        yield server


def get(server: Server, path: str) -> str:
    connection = HTTPConnection(server.host, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, (path, answer.status)
    return text


@pytest.mark.server
def test_processes_share_memory_and_no_connection(preloaded: Server) -> None:
    assert preloaded.process is not None
    arbiter = psutil.Process(preloaded.process.pid)
    eventually(lambda: "hms_processes 2.0" in get(preloaded, "/metrics"))
    for _ in range(40):
        get(preloaded, "/health/ready")
    assert arbiter.num_threads() == 1
    assert [one for one in arbiter.net_connections() if one.status == psutil.CONN_ESTABLISHED] == []
    own = [each.memory_full_info() for each in arbiter.children()]
    assert all(one.uss < 0.75 * one.rss for one in own), own


def test_what_has_begun_before_the_fork_is_refused() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="began-too-early")
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="began-too-early"):
            freeze_before_forks()
    finally:
        over.set()
        thread.join()
