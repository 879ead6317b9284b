"""What can go wrong with another system, as callers see it."""

from django.utils.translation import gettext_lazy as _

from core.errors import Unavailable

LONGEST_WAIT = 3600  # seconds that are told to whoever asked HMS
CIRCUIT_OPEN = "circuit open"  # the cause where nobody was asked: every endpoint is being left alone


class OutboundTrouble(Unavailable):
    """Another system gave no usable answer. `cause` is short and says nothing of what was sent.

    `certain`: the request has surely not been carried out, at no try. `status` is the last answer's, 0 without one; one from 200 to
    299 says that it was carried out and the answer could not be read. `wait` are the seconds it asked to be left alone, or until
    it is tried again.
    """

    def __init__(self, system: str, cause: str, *, certain: bool, status: int = 0, wait: float = 0) -> None:
        super().__init__(str(_("Another system that is needed for this does not answer.")))
        self.system, self.cause, self.certain, self.status, self.wait = system, cause, certain, status, wait
        self.retry_after = max(1, min(LONGEST_WAIT, round(wait))) if wait else self.retry_after

    def __str__(self) -> str:
        return f"{self.system}: {self.cause}"


class AddressRefused(OutboundTrouble):
    """The address may not be called: nothing was sent, and no second try is made."""

    def __init__(self, system: str, cause: str = "address refused") -> None:
        super().__init__(system, cause, certain=True)


class NotConfigured(OutboundTrouble):
    """There is no system of this name, or it is switched off."""

    def __init__(self, system: str) -> None:
        super().__init__(system, "not configured", certain=True)
