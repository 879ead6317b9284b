"""A process that is about to end tells so on every connection first: nobody sends a request into one that closes just then."""

from hms.bodies import Application, Message, Receive, Scope, Send

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
