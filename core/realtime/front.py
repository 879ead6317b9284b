"""Stands before the application: lets it answer, and goes on with those answers that open a stream."""

from core.realtime.opening import OPENING, Opening
from core.realtime.sockets import Application, Socket
from core.realtime.sse import Message, Receive, Send, stream


class Streams:
    """An ASGI application. `application` sees every request, those of streams and sockets too: it says who may open one."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await Socket(self.application, scope, receive, send).serve()
        elif scope["type"] == "http" and scope["method"] == "GET":
            await self._answer(scope, receive, send)
        else:
            await self.application(scope, receive, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        opening, held = Opening(), list[Message]()

        async def send_or_hold(message: Message) -> None:
            if opening.grant is None:
                await send(message)
            else:
                held.append(message)

        try:
            await self.application({**scope, OPENING: opening}, receive, send_or_hold)
            if opening.grant is not None and held and held[0]["status"] == 200:
                await stream(opening.grant, held[0]["headers"], receive, send)
            else:
                for message in held:
                    await send(message)
        finally:
            opening.free()
