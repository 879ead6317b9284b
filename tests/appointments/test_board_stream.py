"""The stream of a board on a running HMS: it says when to look, and nothing of anybody."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.realtime.grants import PER_CLIENT
from core.realtime.hub import CHECKED_EVERY
from tests.factories.callers import Caller
from tests.factories.patience import eventually
from tests.factories.queue import board_of
from tests.factories.server import Server
from tests.factories.streams import EventSource

pytestmark = pytest.mark.server

DESK = "receptionist@riverside.demo"


class Board:
    """A board of the demo, the desk that calls where it hangs, and one where it doesn't."""

    def __init__(self, server: Server, connection: "psycopg.Connection[Any]") -> None:
        self.server, self.connection, self.desk = server, connection, Caller(server, DESK)
        self.place = UUID(self.desk.get("/api/v2/locations?limit=1").body["data"][0]["id"])
        self.screen, path = board_of(connection, self.place)
        (self.clinic,) = connection.execute("SELECT id FROM core_clinic WHERE slug = 'riverside'").fetchone() or (None,)
        self.path = f"{path}stream/"

    def ticket(self) -> UUID:
        made = self.desk.send("POST", "/api/v2/queue", {"location": str(self.place)})
        assert made.status == 201, made.body
        return UUID(made.body["data"]["id"])

    def end_screen(self, ended_at: str = "now()") -> None:
        self.connection.execute(f"UPDATE appointments_queuescreen SET ended_at = {ended_at} WHERE id = %s", [self.screen])


@pytest.fixture
def board(server: Server) -> Iterator[Board]:
    with server.connect() as connection:
        connection.autocommit = True
        one = Board(server, connection)
        yield one
        one.end_screen("NULL")


def test_a_call_is_told_without_a_word_of_it(board: Board) -> None:
    with EventSource(board.server.host, board.path) as source:
        assert source.one("ready")["channels"] == ["queue"]
        ticket = board.ticket()
        source.until(lambda frames: len([one for one in frames if one["type"] == "changed"]) == 1)
        assert board.desk.send("POST", f"/api/v2/queue/{ticket}/call", {}).status == 200
        source.until(lambda frames: len([one for one in frames if one["type"] == "changed"]) == 2)
        assert all(one.keys() == {"type"} for one in source.frames if one["type"] == "changed")
        assert not source.events and not source.last_event_id and "id" not in source.one("ready")


def test_what_happens_elsewhere_is_not_told(board: Board) -> None:
    """At another location, and of appointments: of all that was committed before a ticket here, the ticket alone is told."""
    with EventSource(board.server.host, board.path) as source:
        source.one("ready")
        board.connection.execute(
            "INSERT INTO core_domainevent (id, clinic_id, name, schema, about, about_id, data, at) "
            "SELECT gen_random_uuid(), clinic_id, name, schema, about, gen_random_uuid(), "
            "jsonb_set(data, '{location}', to_jsonb(gen_random_uuid()::text)), now() "
            "FROM core_domainevent WHERE clinic_id = %s AND name = 'ticket.created' LIMIT 1",
            [board.clinic],
        )
        board.connection.execute(
            "UPDATE appointments_appointment SET notes = notes || '.' WHERE id = "
            "(SELECT id FROM appointments_appointment WHERE clinic_id = %s LIMIT 1)",
            [board.clinic],
        )
        for told in (1, 2):
            board.ticket()
            source.until(lambda frames, told=told: len([one for one in frames if one["type"] == "changed"]) >= told)
        assert len([one for one in source.frames if one["type"] == "changed"]) == 2


def test_a_board_that_was_ended_is_told_no_more(board: Board) -> None:
    with EventSource(board.server.host, board.path) as source:
        source.one("ready")
        board.end_screen()
        assert source.one("bye", CHECKED_EVERY * 3)["reason"] == "session"
        refused = EventSource(board.server.host, board.path)
        assert refused.status == 404
        refused.close()


def test_so_many_of_one_board_and_no_more(board: Board) -> None:
    opened: list[EventSource] = []
    try:
        while (source := EventSource(board.server.host, board.path)).status == 200:
            opened.append(source)
            assert len(opened) <= PER_CLIENT * 8, "nobody counts them"
        assert source.status == 429 and len(opened) >= PER_CLIENT
    finally:
        for one in opened:
            one.close()

    def all_open_again() -> bool:
        again = [EventSource(board.server.host, board.path) for _ in range(PER_CLIENT)]
        for one in again:
            one.close()
        return all(one.status == 200 for one in again)

    assert eventually(all_open_again)
