"""A booking cut off at any point (the caller's line, the server's process), sent again with the same key: one visit, one answer."""

import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.factories.callers import Caller
from tests.factories.patience import PATIENCE, eventually
from tests.factories.server import Server, serving

pytestmark = pytest.mark.server
PATH = "/api/v2/patients"


@pytest.fixture(scope="module")
def desk(server: Server) -> Caller:
    return Caller(server, "receptionist@riverside.demo")


class Registration:
    """One POST with a key: a patient whom nobody else registers."""

    def __init__(self, desk: Caller) -> None:
        self.desk, self.name, self.key = desk, f"Cut {uuid4().hex}", f"cut-{uuid4()}"
        person = {"given_name": "Half", "family_name": self.name, "date_of_birth": "1980-05-04", "sex": "female"}
        self.body = json.dumps(person | {"accept_duplicate": True}).encode()

    def request(self) -> bytes:
        head = [
            f"POST {PATH} HTTP/1.1",
            f"Host: {self.desk.server.host}",
            f"Authorization: Bearer {self.desk.token}",
            "Content-Type: application/json",
            f"Idempotency-Key: {self.key}",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
        ]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + self.body

    def send(self) -> tuple[int, bytes, bool]:
        """(status, body, replayed). Raises OSError or HTTPException when there is no whole answer."""
        connection = HTTPConnection(self.desk.server.host, timeout=PATIENCE)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.desk.token}", "Idempotency-Key": self.key}
        try:
            connection.request("POST", PATH, self.body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Idempotency-Replayed") == "true"
        finally:
            connection.close()

    def rows(self) -> int:
        with self.desk.server.connect() as connection:
            found = connection.execute("SELECT count(*) FROM patients_patient WHERE family_name = %s", [self.name]).fetchone()
        return int(found[0])  # type: ignore[index]

    def insist(self) -> tuple[bytes, bool]:
        """As an integrator should: the same again, with the same key, until it is done. (body, replayed)"""

        def answered() -> tuple[bytes, bool] | None:
            try:
                status, body, replayed = self.send()
            except (OSError, HTTPException):
                return None
            assert status in (201, 409, 503), body  # 409: a twin was at it for longer than one waits
            return (body, replayed) if status == 201 else None

        found: tuple[bytes, bool] = eventually(answered)
        return found

    def assert_once(self) -> None:
        (first, _), (second, replayed) = self.insist(), self.insist()
        assert first == second and replayed
        assert self.rows() == 1


def cut_after(sent: int, registration: Registration) -> None:
    """The caller's line breaks after so many bytes of the request."""
    with socket.create_connection(_address(registration), timeout=PATIENCE) as line:
        line.sendall(registration.request()[:sent])
        _break(line)


def cut_while_reading(registration: Registration) -> None:
    with socket.create_connection(_address(registration), timeout=PATIENCE) as line:
        line.sendall(registration.request())
        assert line.recv(16)
        _break(line)


def _address(registration: Registration) -> tuple[str, int]:
    host, _, port = registration.desk.server.host.partition(":")
    return host, int(port)


def _break(line: socket.socket) -> None:
    """Closed with a reset, as by a process that was killed."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@pytest.mark.parametrize("where", [0, 1, 40, -60, -1, None], ids=lambda where: f"after {where}")
def test_a_line_that_breaks_while_sending(desk: Caller, where: int | None) -> None:
    registration = Registration(desk)
    whole = registration.request()
    cut_after(len(whole[:where]), registration)
    registration.assert_once()


def test_a_line_that_breaks_while_reading(desk: Caller) -> None:
    registration = Registration(desk)
    cut_while_reading(registration)
    registration.assert_once()


def test_eight_at_once_do_one_thing_and_hear_the_same(desk: Caller) -> None:
    registration = Registration(desk)
    with ThreadPoolExecutor(8) as threads:
        answers = [one.result() for one in [threads.submit(registration.insist) for _ in range(8)]]
    assert len({body for body, _ in answers}) == 1
    assert sorted(replayed for _, replayed in answers) == [False] + [True] * 7
    assert registration.rows() == 1


# --- The server's process is killed -----------------------------------------------------------------------------------------
def workers(server: Server) -> list[int]:
    assert server.process is not None
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == server.process.pid:
                found.append(int(entry.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def kill_workers(server: Server) -> None:
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def held(server: Server, table: str) -> Iterator[None]:
    """Nobody can write to the table within the block: whoever wants to waits there."""
    with server.connect("hms_owner") as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield
        connection.rollback()


def waiting(server: Server) -> bool:
    with server.connect() as connection:
        found = connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1").fetchone()
    return found is not None


def in_the_background(call: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            call()
        except (OSError, HTTPException):
            pass  # that is what the test is about

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("table", [pytest.param("core_idempotencyrecord", marks=pytest.mark.slow), "patients_patient"])
def test_a_process_that_is_killed_before_it_has_saved(server: Server, desk: Caller, table: str) -> None:
    registration = Registration(desk)
    with held(server, table):
        thread = in_the_background(registration.send)
        eventually(lambda: waiting(server))
        kill_workers(server)
        thread.join(PATIENCE)
    assert registration.rows() == 0
    registration.assert_once()


def test_a_process_that_is_killed_once_it_has_saved(server: Server, desk: Caller) -> None:
    """The caller never reads the answer, if there was one."""
    registration = Registration(desk)
    with socket.create_connection(_address(registration), timeout=PATIENCE) as line:
        line.sendall(registration.request())
        eventually(lambda: registration.rows() == 1)
        kill_workers(server)
    assert registration.insist()[1], "the answer of the process that is gone"
    registration.assert_once()


@pytest.mark.slow
def test_whatever_is_cut_wherever_it_is_cut() -> None:
    """For twenty seconds callers' lines and server's processes break at random; each registration is there once."""
    chance = random.Random(20261125)
    with serving("cut_off", commands=[["seed_demo"]], variables={"HMS_DEMO": "1"}, static=False) as server:
        desk = Caller(server, "receptionist@riverside.demo")
        done: list[Registration] = []
        over = threading.Event()

        def register(seed: int) -> None:
            own = random.Random(seed)
            while not over.is_set():
                registration = Registration(desk)
                try:
                    cut_after(own.randrange(len(registration.request()) + 1), registration)
                except OSError:
                    pass  # no process to talk to at this moment
                registration.insist()
                done.append(registration)

        callers = [threading.Thread(target=register, args=(number,)) for number in range(4)]
        for caller in callers:
            caller.start()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            over.wait(chance.uniform(0.2, 1.5))
            os.kill(chance.choice(eventually(lambda: workers(server))), signal.SIGKILL)
        over.set()
        for caller in callers:
            caller.join(2 * PATIENCE)
        assert not any(caller.is_alive() for caller in callers)
        assert len(done) >= 20
        for registration in done:
            registration.assert_once()
