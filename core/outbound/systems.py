"""What is known of an external system."""

from dataclasses import dataclass, field

from core.outbound.addresses import Guard
from core.outbound.breakers import PACE, Pace

MOST_BYTES = 10 * 1024 * 1024  # of an answer's body
IDLE_SECONDS = 15.0  # that a connection is kept for the next request
ROUND_ROBIN, LEAST_CONNECTIONS = "round_robin", "least_connections"


@dataclass(frozen=True, slots=True)
class System:
    """What is known of an external system. Times in seconds: to connect, to wait for each part of an answer, for everything.

    `attempts`: how often one request is sent at most where it may have been carried out. `authorization` is the header's value.
    `idle_seconds`: for how long a connection waits for another request; `pace`: of the endpoints' breakers.
    """

    name: str
    kind: str
    endpoints: tuple[str, ...]
    balance: str = ROUND_ROBIN
    connect_seconds: float = 2.0
    answer_seconds: float = 10.0
    total_seconds: float = 30.0
    attempts: int = 3
    most_bytes: int = MOST_BYTES
    health_path: str = ""
    idle_seconds: float = IDLE_SECONDS
    pace: Pace = PACE
    authorization: str = field(default="", repr=False)
    guard: Guard = field(default_factory=Guard, repr=False)
