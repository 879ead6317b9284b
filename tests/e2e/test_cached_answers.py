"""What the cache answers over HTTP, by several processes with a cache each: at once, never stale, to nobody it is not for."""

import re
import time
from typing import Any

import pytest

from tests.factories.callers import Caller, Reader, Reply
from tests.factories.patience import PATIENCE
from tests.factories.routes import routes
from tests.factories.server import Server

STREAMS = {"/api/v2/events", "/api/v2/sse/queue-updates"}
LISTS = sorted({route.path for route in routes("api", methods=("GET",)) if "{" not in route.path} - STREAMS)
NEEDS = {"/api/v2/slots": "?service={service}", "/api/v2/patients/search": "?query=an"}
OF_ONE_PERSON = {"/api/v2/clinics", "/api/v2/auth/me"}
NEVER_KEPT = OF_ONE_PERSON | {
    *("/api/v2/patients/search", "/api/v2/break-glass"),
    *("/api/v2/jobs", "/api/v2/jobs/stats", "/api/v2/webhooks", "/api/v2/webhook-deliveries"),  # workers change them all the time
}
TRIES = 12  # enough that each of the server's processes answers


@pytest.fixture(scope="module")
def desk(server: Server) -> Caller:
    return Caller(server, "clinic-admin@riverside.demo")


def address(path: str, caller: Caller) -> str:
    if path == "/api/v2/slots":
        return path + NEEDS[path].format(service=caller.get("/api/v2/services?fields=id").body["data"][0]["id"])
    return path + NEEDS.get(path, "")


def warmed(caller: Caller, path: str) -> Reply:
    """An answer of a process that had it; polled, since the processes take turns by chance."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        reply = caller.get(path)
        assert reply.status == 200
        if reply.from_cache and not reply.queries:
            return reply
    pytest.fail(f"{path} is never answered from the cache: {reply.queries} queries")


@pytest.mark.parametrize("path", [path for path in LISTS if path not in NEVER_KEPT])
def test_a_list_is_answered_without_the_database(path: str, desk: Caller) -> None:
    where = address(path, desk)
    reply = warmed(desk, where)
    deadline = time.monotonic() + PATIENCE
    while True:
        again = desk.get(where, If_None_Match=reply.etag)
        if again.status == 304 and not again.queries:
            return
        assert time.monotonic() < deadline, (again.status, again.queries)


@pytest.mark.parametrize("path", [path for path in LISTS if path not in NEVER_KEPT])
def test_no_version_is_answered_from_the_other_s_entry(path: str, desk: Caller) -> None:
    """At the address without a version both are one address, told apart by a header alone."""
    where = address(path, desk).replace("/api/v2/", "/api/")
    for _ in range(TRIES):
        for version, paging in (("2.0", "meta"), ("1.0", "pagination")):
            reply = desk.get(where, X_API_Version=version)
            assert (reply.status, set(reply.body)) == (200, {"data", paging}), version


@pytest.mark.parametrize("path", [path for path in LISTS if path not in OF_ONE_PERSON])
def test_what_one_clinic_warmed_no_other_clinic_is_given(path: str, desk: Caller, server: Server) -> None:
    own = desk.get(address(path, desk)).body["data"]
    other = Caller(server, "clinic-admin@hillcrest.demo")
    theirs = other.get(address(path, other))
    assert theirs.status == 200
    known = {row["id"] for row in own if "id" in row}
    assert not known & {row["id"] for row in theirs.body["data"] if "id" in row}
    if path == "/api/v2/slots":
        assert theirs.body["data"] != own


def test_a_role_that_may_not_is_refused_what_another_has_warmed(desk: Caller, server: Server) -> None:
    for path in LISTS:
        desk.get(address(path, desk))
    patient = Caller(server, "patient@riverside.demo")
    assert patient.get("/api/v2/memberships").status == 403
    mine, all_of_them = patient.get("/api/v2/patients").body["data"], desk.get("/api/v2/patients?limit=100").body["data"]
    assert len(mine) < len(all_of_them)


def test_every_process_shows_a_change_from_the_moment_it_was_answered(desk: Caller) -> None:
    where = "/api/v2/patients?ordering=-created&limit=1"
    for number in range(4):
        warmed(desk, where)
        body = {"given_name": f"Wanda{number}", "family_name": "Writer", "date_of_birth": "1970-01-02", "sex": "female"}
        made = desk.send("POST", "/api/v2/patients", body | {"accept_duplicate": True}).body["data"]["id"]
        assert [desk.get(where).body["data"][0]["id"] for _ in range(TRIES)] == [made] * TRIES
        path = f"/api/v2/patients/{made}"
        warmed(desk, path)
        changed = desk.send("PATCH", path, {"preferred_name": f"W{number}"})
        assert changed.status == 200
        assert {desk.get(path).body["data"]["preferred_name"] for _ in range(TRIES)} == {f"W{number}"}


def test_a_change_by_raw_sql_is_seen_within_a_second_or_so(desk: Caller, server: Server) -> None:
    room = desk.get("/api/v2/rooms?limit=1").body["data"][0]
    where = f"/api/v2/rooms/{room['id']}"
    warmed(desk, where)
    with server.connect() as connection:
        connection.execute("UPDATE clinics_room SET name = name || ' b' WHERE id = %s", [room["id"]])
    committed = time.monotonic()
    while time.monotonic() < committed + 1:  # until then an older name is allowed
        assert desk.get(where).status == 200
    assert {desk.get(where).body["data"]["name"] for _ in range(TRIES)} == {f"{room['name']} b"}


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("currency", "JPY", lambda row: row["price"]["currency"] == "JPY"),
        ("time_zone", "Asia/Tokyo", lambda row: row["created_at"].endswith("+09:00")),
    ],
)
def test_answers_follow_the_clinics_own_settings(column: str, value: str, shown: Any, desk: Caller, server: Server) -> None:
    warmed(desk, "/api/v2/services")
    with server.connect() as connection:
        before = connection.execute(f"SELECT {column} FROM core_clinic WHERE slug = 'riverside'").fetchone()
        connection.execute(f"UPDATE core_clinic SET {column} = %s WHERE slug = 'riverside'", [value])
    try:
        committed = time.monotonic()
        while time.monotonic() < committed + 1:
            desk.get("/api/v2/services")
        assert all(shown(row) for _ in range(TRIES) for row in desk.get("/api/v2/services").body["data"])
    finally:
        with server.connect() as connection:
            connection.execute(f"UPDATE core_clinic SET {column} = %s WHERE slug = 'riverside'", before)


def test_the_board_is_kept_for_all_and_its_forms_are_each_persons_own(server: Server) -> None:
    first, second = Reader(server, "receptionist@riverside.demo"), Reader(server, "receptionist@riverside.demo")
    boards = [first.read_kept("/"), second.read_kept("/"), second.read_kept("/")]
    keys = [key for board in boards for key in board.keys]
    assert len(set(keys)) == len(keys) > 20 and {len(key) for key in keys} == {36}
    tokens = [token for board in boards for token in set(board.tokens)]
    assert len(set(tokens)) == len(tokens) and {len(token) for token in tokens} == {64}


def test_the_board_shows_each_role_its_own_steps(server: Server) -> None:
    desk, analyst = Reader(server, "receptionist@riverside.demo"), Reader(server, "auditor@riverside.demo")
    assert "/check-in/" in desk.read_kept("/").html
    assert "/check-in/" not in analyst.read("/").html
    other = Reader(server, "receptionist@hillcrest.demo")
    names = set(re.findall(r"/appointments/([0-9a-f-]{36})/", desk.read("/").html))
    assert names and not names & set(re.findall(r"/appointments/([0-9a-f-]{36})/", other.read_kept("/").html))
