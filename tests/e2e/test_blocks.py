"""An address that attacks is blocked by itself, in every process; a lift opens it in every process at once."""

import json
import re
import time
from http.client import HTTPConnection
from secrets import randbelow
from typing import Any

import pytest

from tests.factories.callers import PASSWORD
from tests.factories.patience import PATIENCE, eventually
from tests.factories.server import Server

pytestmark = pytest.mark.server
TRIES = 12  # enough that each of the server's processes answers
ATTACK = "/api/v2/appointments?provider=1%27%20UNION%20SELECT%20password%20FROM%20core_user--"


@pytest.fixture
def stranger() -> str:
    """An address that no other test calls from."""
    return f"2001:db8:{randbelow(60000):x}:{randbelow(60000):x}::7"


def ask(server: Server, address: str, path: str, *, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, str, int]:
    """Status, text and the number of statements; on a connection of its own, as that address."""
    connection = HTTPConnection(server.host, timeout=30)
    sent = {"X-Forwarded-For": address, "Content-Type": "application/json"} | headers
    try:
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        queries = re.search(r'desc="(\d+) queries"', answer.headers.get("Server-Timing", ""))
        return answer.status, answer.read().decode(), int(queries[1]) if queries else -1
    finally:
        connection.close()


def blocks_of(server: Server, address: str) -> list[tuple[Any, ...]]:
    with server.connect() as connection:
        prefix = ":".join(address.split(":")[:4])
        found = connection.execute(
            "SELECT id, automatic, reason FROM core_addressblock WHERE network LIKE %s AND lifted_at IS NULL", [f"{prefix}%"]
        )
        return found.fetchall()


def every_process_answers(server: Server, address: str, path: str, status: int) -> None:
    """Within about a second on an idle machine (docs/decisions/0017)."""
    eventually(lambda: {ask(server, address, path)[0] for _ in range(TRIES)} == {status})


def test_three_attacks_block_an_address_everywhere_and_a_lift_opens_it_everywhere(server: Server, stranger: str) -> None:
    neighbour = stranger.removesuffix("::7") + "::8"
    assert [ask(server, stranger, ATTACK)[0] for _ in range(3)] == [400, 400, 400]
    ((block, automatic, reason),) = blocks_of(server, stranger)
    assert automatic
    assert reason.startswith("pattern, ")
    every_process_answers(server, stranger, "/api/v2/auth/me", 403)
    answers = [ask(server, address, "/api/v2/auth/me") for address in (stranger, neighbour) for _ in range(TRIES)]
    assert {status for status, _, _ in answers} == {403}
    assert json.loads(answers[0][1])["error"]["code"] == "AUTHORIZATION_ERROR"
    assert min(queries for _, _, queries in answers) == 0, "the look is kept"
    assert ask(server, "2001:db8:ffff:ffff::1", "/api/v2/auth/me")[0] == 401
    with server.connect("hms_app") as connection:
        connection.execute("UPDATE core_addressblock SET lifted_at = now() WHERE id = %s", [block])
    every_process_answers(server, stranger, "/api/v2/auth/me", 401)


def test_decoys_and_wrong_passwords_block_too(server: Server, stranger: str) -> None:
    assert [ask(server, stranger, path)[0] for path in ("/wp-login.php", "/.env", "/.git/config")] == [404, 404, 404]
    every_process_answers(server, stranger, "/sign-in/", 403)


def test_where_people_work_the_signed_in_go_on(server: Server, stranger: str) -> None:
    """The receptionist signs in; then somebody else behind the same address attacks, far more than a stranger could."""
    credentials = {"email": "receptionist@riverside.demo", "password": PASSWORD}
    status, text, _ = ask(server, stranger, "/api/v2/auth/token", method="POST", body=credentials)
    assert status == 200, text
    token = json.loads(text)["data"]["access"]
    statuses, deadline = [], time.monotonic() + PATIENCE
    while 403 not in statuses and time.monotonic() < deadline:  # a block is heard of within a second
        statuses.append(ask(server, stranger, ATTACK)[0])
    assert len(statuses) > 20, "ten times as much is needed"
    assert statuses[-1] == 403
    every_process_answers(server, stranger, "/sign-in/", 403)
    assert ask(server, stranger, "/api/v2/auth/me", Authorization=f"Bearer {token}")[0] == 200


def test_this_machine_is_never_blocked(server: Server) -> None:
    assert {ask(server, "127.0.0.1", ATTACK)[0] for _ in range(6)} == {400}
    assert ask(server, "127.0.0.1", "/sign-in/")[0] == 200
