"""What everybody asked during a day, what they were answered, and what they may rely on since."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import UUID

from hms.scale.figures import percentile

# What an answer to a write says of a record, and the database has to say too while nobody has changed it again.
KEPT = {
    "patient": ("given_name", "family_name"),
    "appointment": ("status", "start"),
    "ticket": ("status", "calls"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`milliseconds` until it was there; `status` 0: none came. `code` is the API's word for a refusal, else empty."""

    kind: str
    status: int
    milliseconds: float
    code: str = ""
    again: bool = False  # it asks to come back with the same


@dataclass(frozen=True, slots=True)
class Promise:
    """What an answer to a write has said of a record."""

    clinic: UUID
    noun: str
    id: UUID
    version: int
    fields: dict[str, Any]


@dataclass
class Record:
    """Of the whole day, of all clinics; many threads write into it."""

    answers: list[Answer] = field(default_factory=list)
    promises: dict[UUID, Promise] = field(default_factory=dict)  # the newest of each record
    shown: dict[UUID, dict[str, set[UUID]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    given_up: list[str] = field(default_factory=list)
    let_in: list[str] = field(default_factory=list)  # answers that another clinic's people should not have had
    passed: Counter[str] = field(default_factory=Counter)  # acts for which there was nobody or nothing
    done: Counter[str] = field(default_factory=Counter)  # acts
    latest: float = 0.0  # seconds that the day was behind its own clock at most
    _lock: Lock = field(default_factory=Lock, repr=False)

    def answered(self, answer: Answer) -> None:
        with self._lock:
            self.answers.append(answer)

    def gave_up(self, what: str) -> None:
        with self._lock:
            self.given_up.append(what)

    def acted(self, what: str, *, done: bool) -> None:
        with self._lock:
            (self.done if done else self.passed)[what] += 1

    def promised(self, clinic: UUID, noun: str, row: dict[str, Any]) -> None:
        """The answer to a write. An older version than one that is known already says nothing new."""
        promise = Promise(clinic, noun, UUID(row["id"]), row["version"], {name: row[name] for name in KEPT[noun]})
        with self._lock:
            known = self.promises.get(promise.id)
            if known is None or known.version <= promise.version:
                self.promises[promise.id] = promise

    def saw(self, clinic: UUID, noun: str, rows: list[dict[str, Any]]) -> None:
        """Whom and what a clinic's people were shown."""
        with self._lock:
            shown = self.shown[clinic]
            shown[noun].update(UUID(row["id"]) for row in rows)
            shown["patient"].update(UUID(row["patient"]["id"]) for row in rows if isinstance(row.get("patient"), dict))

    def refusals(self) -> Counter[str]:
        """Answers of 400 and more, by kind, status and code."""
        return Counter(
            f"{one.kind} {one.status} {one.code}".rstrip() for one in self.answers if one.status >= 400 or not one.status
        )

    def times(self) -> dict[str, dict[str, float]]:
        """Of each kind of request: how many, and p50, p95 and p99 in milliseconds."""
        by_kind: dict[str, list[float]] = defaultdict(list)
        for one in self.answers:
            by_kind[one.kind].append(one.milliseconds)
        return {kind: _spread(sorted(times)) for kind, times in sorted(by_kind.items())}


def _spread(ordered: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {"count": len(ordered)} | {name: round(percentile(ordered, share), 1) for name, share in shares.items()}
