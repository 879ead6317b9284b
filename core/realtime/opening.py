"""How a view opens a stream: it answers like any other, and leaves word for the front, which keeps the connection and streams."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from core.realtime.grants import Grant, Place, places
from core.realtime.sse import told_once

OPENING = "hms.opening"  # in the ASGI scope
EVENT_STREAM = "text/event-stream"


class Opening:
    """What the view leaves for the front. `socket`: a WebSocket asks, which says later what it wants to hear."""

    def __init__(self, *, socket: bool = False) -> None:
        self.socket = socket
        self.grant: Grant | None = None
        self.place: Place | None = None

    def free(self) -> None:
        if self.place is not None:
            self.place.free()


def opening_of(request: HttpRequest) -> Opening | None:
    """None where HMS is served without its front (hms/asgi.py): there are no streams then."""
    scope: dict[str, Any] = request.META.get("asgi.scope", {})
    return scope.get(OPENING)


def stream_for(request: HttpRequest, grant: Grant) -> HttpResponse:
    """The answer of a view that lets the request become a stream; without the front one that is over at once. Raises RateLimited
    when there are too many."""
    opening = opening_of(request)
    text = told_once(grant) if opening is None else ""
    if opening is not None:
        opening.place = places.take(grant.credential.holder)
        opening.grant = grant
    response = HttpResponse(text, content_type=EVENT_STREAM)
    response["Cache-Control"] = "no-store"
    return response
