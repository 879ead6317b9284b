"""The parts put together: this process's listener wakes its hub."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from core.events.numbering import CHANNEL
from core.listening import listener
from core.realtime.hub import hub


class Ears:
    """What wakes the hub. Called in the listener's thread; the hub belongs to the server's loop."""

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


def join() -> None:
    """Before the listener starts."""
    listener.join(Ears())
