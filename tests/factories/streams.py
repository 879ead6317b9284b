"""A program's WebSocket, written from docs/live.md alone; the browser's EventSource beside it is the simulation's."""

import json
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from hms.simulation.streams import SECONDS, EventSource, Reader

__all__ = ["SECONDS", "EventSource", "Reader", "Socket"]


class Socket(Reader):
    """A WebSocket. `close_code` and `close_reason` once it has ended."""

    def __init__(self, host: str, path: str = "/ws/", **options: Any) -> None:
        super().__init__()
        self.close_code, self.close_reason = 0, ""
        self._opened = connect(f"{'wss' if options.get('ssl') else 'ws'}://{host}{path}", **options)
        self.connection: ClientConnection = self._opened.__enter__()
        self.read_on()

    def _read(self) -> None:
        try:
            while True:
                self._take(json.loads(self.connection.recv()))
        except ConnectionClosed as closed:
            if closed.rcvd is not None:
                self.close_code, self.close_reason = closed.rcvd.code, closed.rcvd.reason

    def say(self, **frame: Any) -> None:
        self.connection.send(json.dumps(frame))

    def authenticated(self, token: str, *channels: str, **also: Any) -> Self:
        """Says who it is and what it wants to hear."""
        self.say(type="auth", token=token)
        self.one("ready")
        if channels:
            self.say(type="subscribe", channels=list(channels), **also)
            self.one("subscribed")
        return self

    def closed(self, seconds: float = SECONDS) -> int:
        assert self.ended.wait(seconds), "it is still open"
        return self.close_code

    def close(self) -> None:
        self._opened.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
