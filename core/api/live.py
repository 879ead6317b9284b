"""What happens in the clinic, as it happens: Server-Sent Events."""

from dataclasses import replace
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from core.api.filters import joined, query
from core.api.serializers import OutputSerializer
from core.api.views import ClinicViewSet, KnownParameters
from core.errors import Unavailable
from core.realtime import process as live
from core.realtime.grants import chosen, granted, places, readable
from core.realtime.opening import EVENT_STREAM, opening_of, stream_for
from core.requests import underlying

STREAM = OpenApiResponse(OpenApiTypes.STR, description="`text/event-stream`, for at most an hour.")
PARAMETERS = [
    query("last_event_id", OpenApiTypes.INT, "In place of the header `Last-Event-ID`: the last event that was read."),
]


class EventsView(KnownParameters, ViewSet):
    """The clinic's events, as they are committed."""

    resource = "live"
    matrix_actions: ClassVar[dict[str, str]] = {"stream": "view"}
    file_actions: ClassVar[frozenset[str]] = frozenset({"stream"})
    own_channels: ClassVar[frozenset[str]] = frozenset()

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | {"last_event_id"} | (set() if self.own_channels else {"channels"})

    def several_parameters(self) -> set[str]:
        return {"channels"}

    @extend_schema(
        operation_id="events_stream",
        parameters=[query("channels", OpenApiTypes.STR, "With commas; all that you may read, unless you name some."), *PARAMETERS],
        responses={(200, EVENT_STREAM): STREAM},
    )
    def stream(self, request: Request) -> HttpResponse:
        """Server-Sent Events. With `Last-Event-ID` what was missed comes first, or `resync` when that is too much."""
        return self._opened(request)

    def _opened(self, request: Request) -> HttpResponse:
        inner = underlying(request)
        grant, opening = granted(inner), opening_of(inner)
        if opening is None or not opening.socket:  # which says later what it wants to hear
            names = self.own_channels or _names(request)
            channels = chosen(grant.actor, names) if names else readable(grant.actor)
            grant = replace(grant, channels=channels, after=_last_event(request))
        return stream_for(inner, grant)


class QueueUpdatesView(EventsView):
    """The channel `queue` alone."""

    resource = "queue"  # what the channel wants
    own_channels = frozenset({"queue"})

    @extend_schema(operation_id="queue_updates_stream", parameters=PARAMETERS, responses={(200, EVENT_STREAM): STREAM})
    def stream(self, request: Request) -> HttpResponse:
        """What happens in the queue, as `/events?channels=queue` tells it."""
        return self._opened(request)


class StreamHealthOutput(OutputSerializer):
    """`listening`: does the process hear of what is committed?"""

    status = serializers.ChoiceField(choices=["healthy", "degraded"])
    listening = serializers.BooleanField()
    streams = serializers.IntegerField(help_text="Open in the process that answered.")


class StreamHealthView(ClinicViewSet):
    """Whether streams work. Anybody may ask."""

    resource = None
    clinic_optional = True
    output = StreamHealthOutput
    permission_classes = [AllowAny]
    pagination_class = None

    @extend_schema(responses=StreamHealthOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """How the streams of the process that answers are: `degraded` while the relay is silent and it has to look every second,
        503 while it hears nothing. No query."""
        listening = live.hears()
        if live.is_deaf():
            raise Unavailable(_("Streams of this process hear nothing at present."))
        status = "healthy" if listening else "degraded"
        return self.one({"status": status, "listening": listening, "streams": places.taken})


def _names(request: Request) -> list[str]:
    return [name for part in (joined(request, "channels") or "").split(",") if (name := part.strip())]


def _last_event(request: Request) -> int | None:
    """The last event that the reader has; None: it is new. What is no number becomes one that there isn't: it will look anew."""
    said = request.headers.get("Last-Event-ID") or request.query_params.get("last_event_id")
    if not said:
        return None
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 2**62
