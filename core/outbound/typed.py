"""The way to an address that somebody typed: one request, judged at the connection, no second try."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

import httpx

from core.outbound.addresses import Guard
from core.outbound.client import Answer, Sent, exchange
from core.outbound.systems import System
from core.outbound.transport import deadline, http_client

SECONDS = 10.0  # for all of it
MOST_BYTES = 64 * 1024  # of an answer that nobody reads


@lru_cache(maxsize=4)
def _line(allowed: tuple[str, ...]) -> httpx.Client:
    return http_client(Guard.of(allowed))


os.register_at_fork(after_in_child=_line.cache_clear)


def post_typed(url: str, *, body: bytes, headers: Mapping[str, str], allowed: Sequence[str] = ()) -> Answer:
    """POST to it; `allowed` names networks and hosts beside the public ones. Raises OutboundTrouble, AddressRefused."""
    system = System("typed", "other", (url,), connect_seconds=3.0, answer_seconds=SECONDS, most_bytes=MOST_BYTES)
    given = {"Accept-Encoding": "identity", "User-Agent": "HMS", **headers}
    with deadline(time.monotonic() + SECONDS):
        return exchange(_line(tuple(allowed)), system, url, Sent("POST", "", body, given, False))
