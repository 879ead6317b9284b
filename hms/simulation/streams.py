"""A reader of the live streams as a browser's EventSource is, written from docs/live.md alone."""

import json
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR
from typing import Any, Self

SECONDS = 60  # to wait for a frame: servers and readers may be busy


class NeverCame(AssertionError):
    """What a reader waited for did not come in time; the message ends with what came last."""


class Reader:
    """What both have: frames as they come, kept in order by a thread of the reader's own."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self._came = threading.Condition()

    def read_on(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._read()
        finally:
            with self._came:
                self.ended.set()
                self._came.notify_all()

    def _read(self) -> None:
        raise NotImplementedError

    def _take(self, frame: dict[str, Any]) -> None:
        with self._came:
            self.frames.append(frame)
            self._came.notify_all()

    def until(self, true: Callable[[list[dict[str, Any]]], Any], seconds: float = SECONDS) -> Any:
        """Wait until it holds of the frames; raises NeverCame when it doesn't in time."""
        with self._came:
            found = self._came.wait_for(lambda: true(self.frames) or self.ended.is_set(), seconds)
            result = true(self.frames)
            if not (found and result):
                raise NeverCame(f"{len(self.frames)} frames, the last of them {self.frames[-3:]}")
            return result

    def one(self, kind: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The first frame of this type."""
        found: dict[str, Any] = self.until(lambda frames: next((one for one in frames if one["type"] == kind), None), seconds)
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        return [one for one in self.frames if one["type"] == "event"]

    @property
    def ids(self) -> list[int]:
        return [one["id"] for one in self.events]


class EventSource(Reader):
    """An open stream, or (`status` is not 200) the answer that refused it. `last_event_id` as a browser would send it next."""

    def __init__(self, host: str, path: str, tls: ssl.SSLContext | None = None, **headers: str) -> None:
        super().__init__()
        self.last_event_id = ""
        self.retry = 0
        self.comments = 0
        self._connection = HTTPSConnection(host, timeout=120, context=tls) if tls else HTTPConnection(host, timeout=120)
        self._connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.socket = self._connection.sock
        self.response: HTTPResponse = self._connection.getresponse()
        self.status = self.response.status
        said = self.response.read() if self.status != 200 else b""
        self.body = json.loads(said) if self.response.headers["Content-Type"] == "application/json" else None
        if self.status == 200:
            self.read_on()

    def _read(self) -> None:
        block: dict[str, str] = {}
        try:
            for raw in self.response:
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    block[name] = value
                else:
                    self._block(block)
                    block = {}
        except (OSError, ValueError, AttributeError):
            return  # closed from this side

    def _block(self, block: dict[str, str]) -> None:
        self.last_event_id = block.get("id", self.last_event_id)
        self.retry = int(block.get("retry", self.retry))
        if "data" in block:
            self._take(json.loads(block["data"]))

    def close(self) -> None:
        """At once: closing alone would wait for the thread that reads."""
        if self.socket is not None:
            with suppress(OSError):  # the other side was faster
                self.socket.shutdown(SHUT_RDWR)
            self.socket.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
