"""The parts put together: what wakes this process's hub is its listener, or a relay."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from core.events.numbering import CHANNEL
from core.listening import listener
from core.realtime.hub import hub

if TYPE_CHECKING:
    from core.realtime.relay import Subscription


class Ears:
    """What wakes the hub. Called in other threads; the hub belongs to the server's loop."""

    channel = CHANNEL

    def gap(self) -> None:
        """What is missed meanwhile is read as soon as it listens again."""

    def listening(self) -> None:
        self._call(hub.wake_all)

    def hear(self, payload: str) -> None:
        clinic, _, position = payload.partition(" ")
        self._call(hub.wake, UUID(clinic), int(position))

    def beat(self, began: float) -> None:
        """Nothing to be done."""

    def _call(self, call: Callable[..., None], *arguments: Any) -> None:
        """Before the first stream there is no loop, and nobody to be woken."""
        if hub.loop is not None and not hub.loop.is_closed():
            hub.loop.call_soon_threadsafe(call, *arguments)


def _subscription(ears: Ears) -> "Subscription":
    """Imported only where it is wanted: Redis's client takes nine megabytes of every process."""
    from core.realtime.relay import Subscription

    return Subscription(ears.hear, ears.listening)


ears = Ears()
relay = _subscription(ears) if settings.HMS_LIVE_RELAY == "redis" else None


def join() -> None:
    """Before the listener starts."""
    if relay is None:
        listener.join(ears)


def start() -> None:
    """In each web process, never before the fork."""
    if relay is not None:
        relay.start()


def hears() -> bool:
    """Is this process told of commits as they happen? With a silent relay it looks every second."""
    return relay.hears() if relay is not None else listener.stamp() is not None


def is_deaf() -> bool:
    """It listens for itself, and hears nothing: what happens reaches no stream."""
    return relay is None and listener.is_running and not hears()


def stop() -> None:
    if relay is not None:
        relay.stop()
