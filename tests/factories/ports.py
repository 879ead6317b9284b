"""Ports for the servers that tests start."""

import os
import socket
from contextlib import suppress
from itertools import cycle

# Below those that the system gives to connections and to whoever asks for any, so that nobody takes one before its server does.
FIRST, OF_A_WORKER, WORKERS = 20_000, 1_500, 8
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
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
