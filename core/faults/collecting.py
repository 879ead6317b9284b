"""What has failed in this process and is not written down yet. In memory: noting costs no statement and can't be in the way."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.faults.shapes import Shape, shape_of
from core.redaction import told

MOST = 200  # different faults that wait in a process; of further ones only the number is known
MOST_CLINICS, MOST_PLACES, MOST_REQUESTS = 50, 20, 10  # that are named of each
LONGEST_TRACEBACK = 8000  # characters; the end of it


@dataclass(frozen=True, slots=True)
class Where:
    """The surroundings of one error. `kind`: web, job, command or background; `name`: of the route, job or command."""

    kind: str
    name: str = ""
    clinic_id: str = ""
    request_id: str = ""


@dataclass(slots=True)
class Seen:
    """One fault since it was last written down."""

    shape: Shape
    kind: str
    traceback: str
    first: datetime
    last: datetime
    count: int = 0
    clinics: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def add(self, count: int, at: datetime, clinics: Iterable[str], names: Iterable[str], requests: Iterable[str]) -> None:
        self.count += count
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.clinics = _joined(self.clinics, clinics)[:MOST_CLINICS]
        self.names = _joined(self.names, names)[:MOST_PLACES]
        self.requests = _joined(self.requests, requests)[-MOST_REQUESTS:]


def _joined(known: list[str], more: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*known, *(one for one in more if one)]))


class Collector:
    """Safe for threads. `uncounted`: errors that there was no room for."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self.uncounted = 0

    def note(self, error: BaseException, where: Where) -> str:
        """Remember it; returns its fingerprint. Some 20 us, more for the first of its kind."""
        shape, now = shape_of(error), datetime.now(UTC)
        with self._lock:
            seen = self._seen.get(shape.fingerprint)
            if seen is None:
                if len(self._seen) >= self._most:
                    self.uncounted += 1
                    return shape.fingerprint
                seen = Seen(shape, where.kind, told(error)[-LONGEST_TRACEBACK:], now, now)
                self._seen[shape.fingerprint] = seen
            seen.add(1, now, [where.clinic_id], [where.name], [where.request_id])
        return shape.fingerprint

    def take(self) -> list[Seen]:
        """All that waits; it waits here no more."""
        with self._lock:
            found, self._seen = list(self._seen.values()), {}
        return found

    def give_back(self, faults: Iterable[Seen]) -> None:
        """What could not be written waits on, with what has come meanwhile."""
        with self._lock:
            for old in faults:
                new = self._seen.get(old.shape.fingerprint)
                if new is not None:
                    old.add(new.count, new.last, new.clinics, new.names, new.requests)
                elif len(self._seen) >= self._most:
                    self.uncounted += old.count
                    continue
                self._seen[old.shape.fingerprint] = old


collector = Collector()
