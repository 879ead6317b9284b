"""A clinic protects all it can: a dump shows nothing of it in clear, neither of now nor of before, and the desk notices nothing."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from patients.api.names import API_NAMES
from tests.attack.protected_seed import EMAIL, FIRST, PASSWORD, THEN, seed
from tests.factories.leaks import database_dump, traces_of
from tests.factories.server import Server, serving

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def server(django_db_setup: None, worker_id: str) -> Iterator[Server]:
    with serving(f"protected_{worker_id}", seed=seed, static=False) as server:
        yield server


def ask(server: Server, method: str, path: str, body: Any = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{server.url}/api/v2/{path}", sent, headers, method=method), timeout=60) as answer:  # noqa: S310
        return json.load(answer)["data"]


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return str(ask(server, "POST", "auth/token", {"email": EMAIL, "password": PASSWORD})["access"])


def test_a_dump_holds_nothing_of_the_protected_fields_in_clear(server: Server) -> None:
    dump = database_dump(server)
    assert dump["table core_change"].count(b"Before") >= 1, "names stand in clear, so the search would find more"
    assert traces_of([*FIRST.values(), *THEN.values()], dump) == []


def test_the_history_that_was_rewritten_is_verified(server: Server) -> None:
    assert "core_change: 2 encrypted anew" in server.seeded["said"]
    assert "0 rows are not sealed yet" in server.seeded["said"]


@pytest.mark.parametrize("which", ["before", "after"])
def test_the_record_is_read_as_it_was_typed(server: Server, token: str, which: str) -> None:
    answer = ask(server, "GET", f"patients/{server.seeded[which]}", token=token)
    for name, value in THEN.items():
        *group, inner = API_NAMES.get(name, name).split(".")
        assert (answer[group[0]] if group else answer)[inner] == value, name


@pytest.mark.parametrize("words", [THEN["email"], THEN["phone_alt"]])
def test_patients_are_found_by_what_is_protected(server: Server, token: str, words: str) -> None:
    found = ask(server, "POST", "patients/search", {"search": words}, token)
    assert {one["id"] for one in found} == {server.seeded["before"], server.seeded["after"]}
