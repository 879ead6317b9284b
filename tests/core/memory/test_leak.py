"""A real server with a leak: seen, named by file and line, and survived without a failed request."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
import pytest

from tests.factories import leaking_urls
from tests.factories.patience import eventually
from tests.factories.server import Server, serving

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("leak"), pytest.mark.thorough]

LIMIT = 400  # MB of one process; a web process of HMS has some 150 to 200
CALLERS = 6


@pytest.fixture(scope="module")
def leaking(django_db_setup: None, worker_id: str) -> Iterator[Server]:
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.factories.leaking_settings",
        "WEB_CONCURRENCY": "2",
        "HMS_MEMORY_LIMIT_MB": str(LIMIT),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    with serving(f"leaking_{worker_id}", static=False, variables=variables) as server:
        yield server


def processes(server: Server) -> dict[int, int]:
    """Bytes of memory by process id."""
    assert server.process is not None
    found = {}
    for child in psutil.Process(server.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it ends just now
            found[child.pid] = child.memory_info().rss
    return found


class Callers:
    """People who ask all the time, as long as the block lasts. `failed` names what went wrong.

    A connection that is kept stays with one process; asking on a new one each time reaches them all.
    """

    def __init__(self, server: Server, *paths: str, kept: bool = True) -> None:
        self.server, self.kept = server, kept
        self.done, self.failed = 0, list[str]()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(path,)) for path in paths]

    def __enter__(self) -> "Callers":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join()

    def _call(self, path: str) -> None:
        connection = HTTPConnection(self.server.host, timeout=60)
        while not self._over.is_set():
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failed.append(f"{path}: {answer.status}")
                self.done += 1
                if not self.kept:
                    connection.close()
            except (OSError, HTTPException) as error:
                self.failed.append(f"{path}: {error!r}")
                connection.close()
        connection.close()


def get(server: Server, path: str) -> None:
    connection = HTTPConnection(server.host, timeout=30)
    connection.request("GET", path)
    assert connection.getresponse().status == 200
    connection.close()


def line_of_the_leak() -> int:
    lines = Path(leaking_urls.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith("# LEAK"))


def test_the_leak_is_named_by_its_line_and_type(leaking: Server) -> None:
    listed = eventually(lambda: (found := json.loads(leaking.manage("memory_report", "--json"))["processes"])[1:] and found)
    own = [one for one in listed if one["pid"] in processes(leaking)]
    assert len(own) == 2 and all(0 < one["uss"] <= one["pss"] <= one["rss"] and one["kind"] == "web" for one in own)
    with Callers(leaking, *["/leak/50"] * 2, "/health", kept=False) as callers:
        asked = ["memory_report", f"--pid={own[0]['pid']}", "--seconds=6", "--top=1000", "--json"]
        said = json.loads(leaking.manage(*asked))["measured"]
    assert callers.failed == [] and callers.done
    place = f"tests/factories/leaking_urls.py:{line_of_the_leak()}"
    assert said["top"][0]["place"] == said["growth"][0]["place"] == place
    assert said["components"][0]["component"] == "tests.factories" and said["components"][0]["growth_bytes"] > 0
    grown = {one["type"]: one["growth"] for one in said["types"]}
    assert grown["tests.factories.leaking_urls.Leaked"] > 0
    assert "core.cache" in said["caches"]


def test_as_text_for_people(leaking: Server) -> None:
    shown = leaking.manage("memory_report", "--largest", "--seconds=2")
    assert "RSS MB" in shown and "component" in shown and "cache core.cache" in shown


def test_it_is_survived_without_a_failed_request(leaking: Server) -> None:
    """Both leak until one ends; it finishes its requests, and another takes its place. The other one waits for its turn."""
    before = processes(leaking)
    assert len(before) == 2
    ceiling = 0
    with Callers(leaking, "/leak/100", *["/slow"] * CALLERS, *["/health"] * 2) as callers:
        gone = eventually(lambda: set(before) - set(processes(leaking)))
        eventually(lambda: len(set(processes(leaking)) - set(before)) == len(gone))
        ceiling = max(processes(leaking).values())
    assert callers.failed == []
    assert callers.done > 100
    log = leaking.log.read_text()
    assert "caches gave up" in log and "collected what was garbage" in log
    assert log.count("this process ends after its work in hand") == len(gone) == 1
    assert ceiling < 2 * LIMIT * 2**20
    assert "SIGKILL" not in log and "Forcing close" not in log
    get(leaking, "/health")
