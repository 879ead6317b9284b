"""Ports for the servers that tests start."""

import os
import socket
from contextlib import suppress
from itertools import cycle

# Below those that the system gives to connections and to whoever asks for any, so that nobody takes one before its server does.
FIRST, ALL = 20_000, 12_000
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _workers
OF_A_WORKER = ALL // _workers
_started = os.getpid() % OF_A_WORKER  # two runs on one machine begin at different ones
_ports = cycle(FIRST + _worker * OF_A_WORKER + (_started + number) % OF_A_WORKER for number in range(OF_A_WORKER))


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens; no other test of this run is given it."""
    for _ in range(OF_A_WORKER):
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("All ports for tests are taken.")
