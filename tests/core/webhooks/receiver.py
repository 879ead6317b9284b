"""A receiver of webhooks, written by docs/webhooks.md alone: nothing of HMS is imported here."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FRESH = 300  # seconds


def is_theirs(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """The four steps of “Is it ours?”."""
    parts = [part.partition("=") for part in headers.get("HMS-Signature", "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isdigit() or abs(now - int(times[0])) > FRESH:
        return False
    wanted = hmac.new(secret.encode("ascii"), times[0].encode("ascii") + b"." + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(wanted, value) for name, _, value in parts if name == "v1")


@dataclass
class Receiver:
    """Keeps each event once. `status` is what it answers; None: 200 for what is theirs, 400 for all else."""

    secret: str = ""
    status: Callable[[dict[str, Any]], int] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    twice: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        with self._lock:
            if not is_theirs(self.secret, headers, body, time.time()):
                self.refused += 1
                return 400
            said = json.loads(body)
            if self.status is not None and (status := self.status(said)) >= 300:
                return status
            if said["id"] in {one["id"] for one in self.events}:
                self.twice += 1
            else:
                self.events.append(said)
            return 200

    def types(self, **data: str) -> list[str]:
        """The types of what came with this data, in the order of arrival."""
        return [one["type"] for one in self.events if data.items() <= one["data"].items()]
