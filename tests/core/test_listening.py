"""A listener is trusted only while it would hear: whose session it is, and which numbers its descriptors have, changes nothing."""

import os
import resource
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from core.listening import Listener
from tests.architecture.catalogue import connected
from tests.factories.patience import eventually

CHANNEL = "hms_test_listening"
FEWEST = 1024  # descriptors that select() knows


class Ear:
    """Notes what it is told, in order."""

    channel = CHANNEL

    def __init__(self) -> None:
        self.told: list[str] = []
        self.at_beat: Callable[[], object] = lambda: None

    def gap(self) -> None:
        self.told.append("gap")

    def listening(self) -> None:
        self.told.append("listening")

    def hear(self, payload: str) -> None:
        self.told.append(payload)

    def beat(self, began: float) -> None:
        self.told.append("beat")
        self.at_beat()


class Watched(Listener):
    """One whose connections a test may reach."""

    def __init__(self) -> None:
        super().__init__()
        self.ear = Ear()
        self.join(self.ear)
        self.connection: Any = None

    def _listen(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection
        super()._listen(connection)


@pytest.fixture
def listener(django_db_setup: None) -> Iterator[Watched]:
    listener = Watched()
    yield listener
    listener.stop()


def say(text: str) -> None:
    with connected("postgres") as somebody:
        somebody.execute("SELECT pg_notify(%s, %s)", [CHANNEL, text])
        somebody.commit()


def test_it_hears_what_others_commit(listener: Watched) -> None:
    listener.start()
    eventually(listener.stamp)
    assert listener.ear.told[:3] == ["gap", "listening", "beat"]
    say("word")
    eventually(lambda: "word" in listener.ear.told)


def test_a_session_that_no_longer_listens_is_not_trusted(listener: Watched) -> None:
    listener.start()
    first = eventually(listener.stamp)

    def forget() -> None:
        listener.ear.at_beat = lambda: None
        listener.connection.execute("UNLISTEN *")
        listener.ear.told.append("forgotten")

    listener.ear.at_beat = forget
    eventually(lambda: listener.stamp() not in (None, first))
    told = listener.ear.told
    assert told[told.index("forgotten") :][:4] == ["forgotten", "gap", "listening", "beat"], "no heartbeat counted in between"
    say("word")
    eventually(lambda: "word" in told)


@contextmanager
def pooler(*, keeps_sessions: bool) -> Iterator[str]:
    """What stands before the server and gives a session away while its client asks nothing: notices are then nobody's. Its URL."""
    own = connections["default"].settings_dict
    folder = Path(tempfile.mkdtemp(prefix="hms-pooler-"))
    with ExitStack() as stack:
        door = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        door.bind(str(folder / ".s.PGSQL.5432"))
        door.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = door.accept()
                    threading.Thread(target=between, args=(client,), daemon=True).start()

        def between(client: socket.socket) -> None:
            server = socket.socket(socket.AF_UNIX)
            with closing(client), closing(server), suppress(OSError):
                server.connect(f"{own['HOST']}/.s.PGSQL.{own['PORT'] or 5432}")
                idle, left = False, b""
                while True:
                    ready, _, _ = select.select([client, server], [], [])
                    if client in ready:
                        asked = client.recv(65536)
                        if not asked:
                            return
                        idle = False
                        server.sendall(asked)
                    if server in ready:
                        said = server.recv(65536)
                        if not said:
                            return
                        left += said
                        while len(left) >= 5 and len(left) > (size := int.from_bytes(left[1:5])):
                            message, left = left[: size + 1], left[size + 1 :]
                            if not (message[:1] == b"A" and idle and not keeps_sessions):
                                client.sendall(message)
                            idle = idle or message[:1] == b"Z"

        threading.Thread(target=serve, daemon=True).start()
        yield f"postgresql://{own['USER']}@/{own['NAME']}?host={folder}&port=5432"


@pytest.fixture
def of_sockets() -> None:
    if not str(connections["default"].settings_dict["HOST"]).startswith("/"):
        pytest.skip("needs a server on a socket")


def test_behind_a_pooler_that_shares_sessions_nothing_is_trusted(
    listener: Watched, of_sockets: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Although each question is answered, and by the very session that listens."""
    with pooler(keeps_sessions=False) as settings.DATABASE_LISTEN_URL:
        listener.start()
        eventually(lambda: listener.ear.told.count("gap") == 2)
        assert listener.stamp() is None and set(listener.ear.told) == {"gap"}
        listener.stop()
    told = [record.getMessage() for record in caplog.records if record.name == "core.listening"]
    assert len(told) == 1 and "DATABASE_LISTEN_URL" in told[0], "it is said once, not at each try"


def test_a_way_of_its_own_leads_around_the_pooler(listener: Watched, of_sockets: None, settings: Any) -> None:
    with pooler(keeps_sessions=True) as settings.DATABASE_LISTEN_URL:
        listener.start()
        eventually(listener.stamp)
        say("word")
        eventually(lambda: "word" in listener.ear.told)
        listener.stop()


def test_its_descriptors_may_have_any_number(listener: Watched) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    taken = []
    try:
        while not taken or taken[-1] < FEWEST:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        listener.start()
        eventually(listener.stamp)
        assert listener.connection.fileno() > FEWEST
        with connected("postgres") as psql:
            psql.execute("SELECT pg_terminate_backend(%s)", [listener.connection.info.backend_pid])
        eventually(lambda: listener.ear.told.count("listening") == 2)
        say("word")
        eventually(lambda: "word" in listener.ear.told)
        listener.stop()
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
