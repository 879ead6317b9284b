"""Where parts of HMS say what they do, for traces. Without traces nothing is imported, and saying so is one look at a name."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Said(Protocol):
    """An operation that is traced. `headers` tell another system in which trace it is asked."""

    headers: Mapping[str, str]

    def ended(self, *, failed: bool, **attributes: str | int) -> None:
        """How it went. Never what an error says: it may quote a value."""


class Tracing(Protocol):
    """Who writes traces (core.tracing.sending)."""

    def statement(self, kind: str, text: str, seconds: float, *, ran: bool) -> None:
        """It has just ended. `text` is without values."""

    def operation(self, name: str, *, to_others: bool, **attributes: str | int) -> AbstractContextManager[Said]:
        """What is said within the block belongs to it. `to_others`: another system is asked."""


class _Nothing:
    headers: Mapping[str, str] = {}

    def ended(self, **_: Any) -> None:
        """Nobody wants to know."""


_NOTHING: nullcontext[Said] = nullcontext(_Nothing())
tracing: Tracing | None = None


def install(who: Tracing | None) -> None:
    global tracing
    tracing = who


def job(kind: str, **attributes: str | int) -> AbstractContextManager[Said]:
    """One attempt at a job."""
    return _NOTHING if tracing is None else tracing.operation(f"job {kind}", to_others=False, **attributes)


def outbound(system: str, method: str) -> AbstractContextManager[Said]:
    """One request to another system, with all its tries. Its path isn't told: it may hold a patient's number there."""
    if tracing is None:
        return _NOTHING
    said = {"peer.service": system, "http.request.method": method}
    return tracing.operation(f"{method} {system}", to_others=True, **said)
