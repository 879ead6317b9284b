"""Connections that a test makes for itself: to the tests' own database, to none, or through a breaker."""

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connections

from core.database.backend.base import DatabaseWrapper
from core.database.embedded import EmbeddedPostgres
from core.database.places import SOCKET_NAME
from tests.factories.patience import eventually

BLOCKED = (
    "SELECT pg_stat_clear_snapshot(), EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
)


def somebody_waits_for(cursor: Any) -> bool:
    """Does another connection wait for what this one's transaction has locked?"""
    cursor.execute(BLOCKED)
    return bool(cursor.fetchone()[1])


def pids_of(postgres: EmbeddedPostgres) -> list[int]:
    """The server's processes: the postmaster first, then its children."""
    master = int((postgres.places.data / "postmaster.pid").read_text().splitlines()[0])
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == master:
                    children.append(int(entry.name))
    return [master, *children]


@contextmanager
def another(alias: str = "another", like: str = "default", **changes: Any) -> Iterator[DatabaseWrapper]:
    """A further connection for this thread under `alias`; its transaction is not the test's."""
    settings_dict = copy.deepcopy(connections[like].settings_dict) | changes
    before = getattr(connections._connections, alias, None)  # type: ignore[attr-defined]
    wrapper = DatabaseWrapper(settings_dict, alias)
    connections[alias] = wrapper
    try:
        yield wrapper
    finally:
        wrapper.close()
        if before is None:
            del connections[alias]
        else:
            connections[alias] = before


@contextmanager
def no_database(*aliases: str) -> Iterator[Callable[[], None]]:
    """The aliases lead to a server that isn't there, behind its breaker, until the function given is called."""
    real = connections["default"].settings_dict["HOST"]
    with tempfile.TemporaryDirectory(prefix="hms-away-") as folder:
        socket = Path(folder) / SOCKET_NAME

        def come_back() -> None:
            if not socket.is_symlink():
                socket.symlink_to(Path(real) / SOCKET_NAME)

        own = {"HOST": folder, "PORT": "", "GUARD": {"deadline": 5.0, "breaker": True}}
        with ExitStack() as stack:
            likes = zip(aliases, ("default", "platform"), strict=False)
            wrappers = [stack.enter_context(another(alias, like, **own)) for alias, like in likes]
            yield come_back
            come_back()  # the probes' threads end
            eventually(lambda: not any(one.guard.breaker.state.is_open for one in wrappers if one.guard.breaker))
