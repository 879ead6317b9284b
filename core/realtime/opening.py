"""How a view opens a stream: it answers like any other, and leaves word for the front, which keeps the connection and streams."""

import threading
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
        self._place: Place | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def take(self, grant: Grant) -> None:
        """In the view's thread. Raises RateLimited when there are too many. Of whoever has gone meanwhile no place is kept."""
        place = places.take(grant.credential.holder)
        with self._lock:
            self._place, self.grant = place, grant
        if self._is_over:
            self.free()

    def free(self) -> None:
        """Nobody waits any more. As often as one likes, also while the view is still at work."""
        with self._lock:
            self._is_over = True
            place, self._place = self._place, None
        if place is not None:
            place.free()


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
        opening.take(grant)
    response = HttpResponse(text, content_type=EVENT_STREAM)
    response["Cache-Control"] = "no-store"
    return response
