"""Two processes of a server count together, and go on counting when one of them is killed."""

import os
import signal
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from tests.factories.patience import eventually
from tests.factories.server import ROOT, Server, serving

pytestmark = [pytest.mark.server, pytest.mark.thorough]

TOKEN = "t" * 40
ASKED = 60
ROUTE = "pages:sign-in"


@pytest.fixture(scope="module")
def two(django_db_setup: None) -> Iterator[Server]:
    with serving("two", static=False, variables={"WEB_CONCURRENCY": "2", "HMS_MONITORING_TOKEN": TOKEN}) as server:
        yield server


def get(server: Server, path: str) -> str:
    """On a connection of its own: any process may take it."""
    connection = HTTPConnection(server.host, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"} if path == "/metrics" else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, (path, answer.status)
        return text
    finally:
        connection.close()


def value(server: Server, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(get(server, "/metrics"))
    samples = (sample for family in families for sample in family.samples)
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def folder_of(server: Server) -> Path:
    """Where its processes count."""
    var = ROOT / os.environ.get("HMS_VAR_DIR", "var")
    return var / "run" / f"metrics-{urlsplit(server.url).port}"


def counted_by_each(server: Server) -> dict[int, float]:
    """By process id, from the files themselves, of those that live."""
    found = {}
    for file in folder_of(server).glob("counter_[0-9]*.db"):
        rows = MmapedDict.read_all_values_from_file(str(file))
        found[int(file.stem.partition("_")[2])] = sum(
            number for key, number, *_ in rows if '"hms_requests_total"' in key and ROUTE in key
        )
    return found


def workers_of(server: Server) -> set[int]:
    assert server.process is not None
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def test_they_add_up_and_one_that_is_killed_has_not_counted_in_vain(two: Server) -> None:
    eventually(lambda: value(two, "hms_processes") == 2)
    asked = 0
    while asked < ASKED or sum(number > 0 for number in counted_by_each(two).values()) < 2:
        get(two, "/sign-in/")
        asked += 1
        assert asked < 50 * ASKED, "one process answers everything"
    assert value(two, "hms_requests_total", route=ROUTE, method="GET", status="200", role="stranger") == asked
    assert value(two, "hms_request_seconds_count", route=ROUTE) == asked
    assert sum(counted_by_each(two).values()) == asked

    before = workers_of(two)
    killed = max(counted_by_each(two).items(), key=lambda one: one[1])[0]
    assert killed in before
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(workers_of(two)) == 2 and killed not in workers_of(two))
    eventually(lambda: value(two, "hms_processes") == 2)
    assert value(two, "hms_requests_total", route=ROUTE) == asked
    get(two, "/sign-in/")
    assert value(two, "hms_requests_total", route=ROUTE) == asked + 1
    assert value(two, "hms_request_seconds_count", route=ROUTE) == asked + 1
    eventually(lambda: not list(folder_of(two).glob(f"*_{killed}.db")))
    assert sorted(one.name for one in folder_of(two).glob("*_ended.db")) == ["counter_ended.db", "histogram_ended.db"]


def test_replaced_again_and_again_they_leave_no_files_and_nothing_counts_backwards(two: Server) -> None:
    assert two.process is not None
    highest = value(two, "hms_requests_total", route=ROUTE)
    for _ in range(3):
        before = workers_of(two)
        two.process.send_signal(signal.SIGHUP)
        while workers_of(two) & before or len(workers_of(two)) < 2:
            get(two, "/sign-in/")
            highest, earlier = value(two, "hms_requests_total", route=ROUTE), highest
            assert highest > earlier
    held = {file.stem.rpartition("_")[2] for file in folder_of(two).glob("*.db")}
    assert held <= {"ended", *(str(pid) for pid in before | workers_of(two))}  # of the last ones perhaps: somebody was reading


def test_one_that_has_just_begun_hears_that_the_server_ends(two: Server) -> None:
    """Else all wait for gunicorn's own limit, half a minute."""
    assert two.process is not None
    before = workers_of(two)
    os.kill(min(before), signal.SIGTERM)
    eventually(lambda: workers_of(two) - before)
    two.process.terminate()
    assert two.process.wait(28) == 0
