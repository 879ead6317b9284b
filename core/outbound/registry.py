"""Which external systems there are: those of the environment, and those that administrators have set up."""

import json
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings

from core.outbound.addresses import ANYTHING, Guard
from core.outbound.errors import NotConfigured
from core.outbound.figures import EndpointFigures
from core.outbound.models import ExternalSystem, SystemKind
from core.outbound.systems import LEAST_CONNECTIONS, ROUND_ROBIN, System

if TYPE_CHECKING:
    from core.outbound.client import Client

KEPT = 10.0  # seconds until a change in the administration is seen
# What HMS_EXTERNAL_SYSTEMS may say of a system, and of which type.
SAID: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "endpoints": (list,),
    "balance": (str,),
    "connect_seconds": (int, float),
    "answer_seconds": (int, float),
    "total_seconds": (int, float),
    "attempts": (int,),
    "health_path": (str,),
    "authorization": (str,),
}


class Malformed(ValueError):
    """HMS_EXTERNAL_SYSTEMS is not what it should be; the text says where, and repeats no value."""


def from_environment(text: str) -> dict[str, System]:
    """The systems of HMS_EXTERNAL_SYSTEMS. An operator's addresses are called as they stand. Raises Malformed."""
    try:
        said = json.loads(text or "{}")
    except ValueError as error:
        raise Malformed("it is no JSON") from error
    if not isinstance(said, dict):
        raise Malformed("it is no object")
    return {name: _system(name, one) for name, one in said.items()}


def _system(name: str, said: Any) -> System:
    if not isinstance(said, dict):
        raise Malformed(f"{name} is no object")
    wrong = [key for key, value in said.items() if key not in SAID or not isinstance(value, SAID[key]) or isinstance(value, bool)]
    if wrong:
        raise Malformed(f"{name}: {', '.join(sorted(wrong))}")
    addresses = said.get("endpoints") or []
    if said.get("kind") not in SystemKind.values or said.get("balance", ROUND_ROBIN) not in (ROUND_ROBIN, LEAST_CONNECTIONS):
        raise Malformed(f"{name}: kind, balance")
    try:
        checked = tuple(ANYTHING.checked_url(str(one)) for one in addresses)
    except ValueError as error:
        raise Malformed(f"{name}: endpoints") from error
    if not checked or any(said.get(key, 1) <= 0 for key in ("connect_seconds", "answer_seconds", "total_seconds", "attempts")):
        raise Malformed(f"{name}: endpoints and times")
    return System(name, guard=ANYTHING, **{**said, "endpoints": checked})


def guard_of_systems() -> Guard:
    """Where systems that administrators set up may stand: public addresses and HMS_OUTBOUND_ALLOW."""
    return Guard.of(settings.HMS_OUTBOUND_ALLOW)


class Registry:
    """The systems and their clients in this process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._systems: Mapping[str, System] = {}
        self._read_at = -KEPT

    def client(self, name: str) -> "Client":
        """The client for a system. Raises NotConfigured. A query every ten seconds at most."""
        system = self.systems().get(name)
        if system is None:
            raise NotConfigured(name)
        return self.client_of(system)

    def client_of(self, system: System) -> "Client":
        """The client for a system that its caller describes, such as a gateway of messages; kept by its name.

        Its package is imported by processes that ask somebody, and no others: it takes megabytes.
        """
        from core.outbound.client import Client

        with self._lock:
            client = self._clients.get(system.name)
            if client is None or client.system != system:
                client = self._clients[system.name] = Client(system)
            return client

    def systems(self) -> Mapping[str, System]:
        """All that are in use, by name; the environment's win."""
        now = time.monotonic()
        if now - self._read_at >= KEPT:
            self._systems, self._read_at = _in_use() | from_environment(settings.HMS_EXTERNAL_SYSTEMS), now
        return self._systems

    def figures(self) -> list[EndpointFigures]:
        """What this process has asked of each endpoint. No query."""
        with self._lock:
            clients = list(self._clients.values())
        return [one for client in clients for one in client.figures()]

    def read_anew(self) -> None:
        """What is known is asked for again at the next use."""
        self._read_at = -KEPT

    def forget(self) -> None:
        """In a forked process nothing of the parent's connections may be used."""
        self.__init__()  # type: ignore[misc]


def _in_use() -> dict[str, System]:
    guard = guard_of_systems()
    return {
        row.name: System(
            row.name,
            row.kind,
            tuple(row.endpoints),
            balance=row.balance,
            connect_seconds=row.connect_seconds,
            answer_seconds=row.answer_seconds,
            total_seconds=row.total_seconds,
            attempts=row.attempts,
            health_path=row.health_path,
            authorization=row.authorization,
            guard=guard,
        )
        for row in ExternalSystem.objects.filter(is_active=True)
    }


registry = Registry()
os.register_at_fork(after_in_child=registry.forget)
