"""What the streams of this process do, in counts that say nothing of anybody."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Figures:
    """Since the process began, but for `sse` and `websocket`: what is open now. Only the loop's own thread writes.

    `dropped`: events that slow readers lost, `resyncs`: how often one was told to look anew. `lag`: seconds from the writing of the
    last event to its readers, `lag_max` of the slowest one. `reads` of the outbox, and how many of them failed.
    """

    sse: int = 0
    websocket: int = 0
    opened: int = 0
    delivered: int = 0
    dropped: int = 0
    resyncs: int = 0
    reads: int = 0
    read_failures: int = 0
    lag: float = 0.0
    lag_max: float = 0.0

    def note_lag(self, seconds: float) -> None:
        self.lag = seconds
        self.lag_max = max(self.lag_max, seconds)

    def snapshot(self) -> dict[str, float]:
        return asdict(self)
