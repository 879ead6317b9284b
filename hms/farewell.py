"""How a process of the web server ends: it tells so on every connection first, so that nobody sends a request into one that closes
just then, and its threads end beside each other."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from hms.bodies import Application, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

CLOSE = (b"connection", b"close")


class Farewell:
    """An ASGI application. Once `leaving` is set, each answer is the last one on its connection."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.leaving or scope["type"] != "http":
            await self.application(scope, receive, send)
            return

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.lower() != b"connection"]
                message = {**message, "headers": [*kept, CLOSE]}
            await send(message)

        await self.application(scope, receive, send_last)


def end_together(stops: Iterable[Callable[[], None]], *, within: float) -> None:
    """Call them all, each in a thread, and wait at most `within` seconds for all of them: one that hangs keeps none of the others
    from finishing."""
    threads = [threading.Thread(target=stop, name=stop.__module__, daemon=True) for stop in stops]
    for one in threads:
        one.start()
    until = time.monotonic() + within
    for one in threads:
        one.join(max(0.0, until - time.monotonic()))
        if one.is_alive():
            logger.warning("%s did not end within %g s.", one.name, within)
