"""Processes are killed while people read: of no answer that somebody has received is the event missing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.factories.server import ROOT, Server, serving
from tests.load.races import PASSWORD, seed

READERS = 6
SECONDS = 20.0
BETWEEN_KILLS = 1.5


class Readers:
    """People who look at one record after the other; `received` is what they got whole: request id -> patients shown."""

    def __init__(self, server: Server) -> None:
        self.host, self.patients = server.host, server.seeded["patients"]
        self.received: dict[str, set[UUID]] = {}
        self.broken = 0
        self._lock, self._stop = Lock(), Event()
        body = json.dumps({"email": "races@races.test", "password": PASSWORD})
        self.token = self._ask("POST", "/api/v2/auth/token", body)[1]["data"]["access"]

    def _ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection(self.host, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def read(self, number: int) -> None:
        count = number
        while not self._stop.is_set():
            count += 1
            whole, request_id = count % 4 == 0, str(uuid4())
            path = "/api/v2/patients?limit=16" if whole else f"/api/v2/patients/{self.patients[count % len(self.patients)]}"
            headers = {"Authorization": f"Bearer {self.token}", "X-Request-ID": request_id}
            try:
                status, answer = self._ask("GET", path, None, **headers)
            except (OSError, HTTPException, ValueError):
                self.broken += 1
                time.sleep(0.05)
                continue
            if status == 200:
                rows = answer["data"] if whole else [answer["data"]]
                with self._lock:
                    self.received[request_id] = {UUID(row["id"]) for row in rows}

    def run_while(self, work: Any) -> None:
        threads = [Thread(target=self.read, args=(number,)) for number in range(READERS)]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)


def workers_of(server: Server) -> list[int]:
    assert server.process is not None
    pid = server.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with serving("access_log", seed=seed, static=False) as running:
        yield running


@pytest.mark.slow
def test_a_kill_loses_no_event_of_an_answer(served: Server) -> None:
    readers, kills = Readers(served), 0

    def kill_again_and_again() -> None:
        nonlocal kills
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(BETWEEN_KILLS)
            for pid in workers_of(served)[:1]:
                os.kill(pid, signal.SIGKILL)
                kills += 1
        for pid in (served.process.pid, *workers_of(served)):  # type: ignore[union-attr]
            os.kill(pid, signal.SIGKILL)

    readers.run_while(kill_again_and_again)
    assert kills > 5 and readers.broken
    assert len(readers.received) > 100
    command = [sys.executable, "manage.py", "drain_access_log"]
    for _ in range(2):  # the second finds nothing, and changes nothing
        done = subprocess.run(command, cwd=ROOT, env=served.environment, capture_output=True, text=True, check=True)
    assert done.stdout == "0 events written.\n"
    written = in_the_database(served)
    assert {request: people for request, people in readers.received.items() if written.get(request) != [people]} == {}


def in_the_database(server: Server) -> dict[str, list[set[UUID]]]:
    """Request id -> the patients of each event it has."""
    found: dict[str, list[set[UUID]]] = {}
    with server.connect() as connection:
        for request, people in connection.execute(
            "SELECT e.request_id, array_agg(p.patient_id) FROM core_accessevent e JOIN core_accessedpatient p "
            "USING (clinic_id, at, event_id) GROUP BY e.event_id, e.request_id"
        ):
            found.setdefault(request, []).append(set(people))
    return found
