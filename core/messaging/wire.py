"""One request to a gateway: by the client that all other systems have too, which leaves a gateway in trouble alone for a while.

What is different for messages: nothing that may have gone out is sent a second time, and a gateway in trouble is left alone for
longer, because the message that tries it afterwards may be lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.messaging.models import Channel
from core.outbound.addresses import ANYTHING
from core.outbound.breakers import Pace
from core.outbound.errors import CIRCUIT_OPEN, OutboundTrouble
from core.outbound.registry import registry
from core.outbound.systems import System

CONNECT_SECONDS = 3.0
SECONDS = 10.0  # for a gateway to answer completely, however slowly it drips
MOST = 64 * 1024  # bytes of an answer
IDLE_SECONDS = 1.0  # a connection that a gateway closes just as a message goes out leaves its fate unknown; few close so early
PACE = Pace(first=30.0, longest=300.0, rest=3600.0)
LEFT_ALONE = "left alone"


class NotSent(Exception):
    """`cause` is short and says nothing of the message. `certain`: it has surely not gone out by this channel.

    `wait`: the seconds for which the gateway is to be left alone, 0: it has not said so; not `tried`: it is being left alone and
    was given nothing. `unreachable`: the address itself was refused, and will be again; `stopped`: its owner wants no messages.
    """

    def __init__(
        self,
        cause: str,
        *,
        certain: bool = True,
        wait: float = 0.0,
        tried: bool = True,
        unreachable: bool = False,
        stopped: bool = False,
    ) -> None:
        super().__init__(cause)
        self.cause, self.certain, self.wait, self.tried = cause, certain, wait, tried
        self.unreachable, self.stopped = unreachable, stopped


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway said. Of 500 and up nobody can say whether the message has gone out, so that is no answer."""

    status: int
    body: bytes

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300

    def not_sent(self, code: int = 0) -> NotSent:
        """What a status that takes nothing means; `code` is the gateway's own word for it, 0 for none."""
        return NotSent(f"HTTP {self.status}{f' {code}' if code else ''}")


def gateway(channel: Channel, endpoints: Sequence[str]) -> System:
    """The gateway of a channel, at one address or several that know the same idempotency keys."""
    return System(
        f"messages.{channel}",
        channel,
        tuple(endpoints),
        connect_seconds=CONNECT_SECONDS,
        answer_seconds=SECONDS,
        total_seconds=SECONDS,
        attempts=1,
        most_bytes=MOST,
        idle_seconds=IDLE_SECONDS,
        pace=PACE,
        guard=ANYTHING,
    )


def post(to: System, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST, and an answer below 500 that is no 429. Raises NotSent. What reached nobody is offered to each endpoint once."""
    if not to.endpoints:
        raise NotSent("not configured")
    try:
        answer = registry.client_of(to).request("POST", path, content=body, headers=headers)
    except OutboundTrouble as trouble:
        if 200 <= trouble.status < 300:  # the head of the answer says that it was taken; the rest could not be read
            return Answer(trouble.status, b"")
        raise _not_sent(trouble) from trouble
    return Answer(answer.status, answer.content)


def leave_alone(system: System) -> None:
    """The gateway said by a code of its own that it is given too much."""
    registry.client_of(system).leave_alone()


def _not_sent(trouble: OutboundTrouble) -> NotSent:
    if trouble.cause == CIRCUIT_OPEN:
        return NotSent(LEFT_ALONE, wait=trouble.wait, tried=False)
    certain = trouble.status < 500 if trouble.status else trouble.certain
    return NotSent(trouble.cause, certain=certain, wait=trouble.wait)
