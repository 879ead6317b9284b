"""The first level: values in this process's memory, bounded by bytes, the longest unused leave first."""

import sys
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.audit.subjects import NOBODY, Subjects

ENTRY = 400  # bytes, by tracemalloc: what an entry takes beside its key, its value and what makes it true


@dataclass(slots=True)
class Entry:
    """A value and what makes it true: the `vector` of generations found at `places` before it was loaded.

    `stamp` is the unbroken spell of trust (core.cache.store.Look) it was loaded in; `expires` is by time.monotonic().
    """

    family: str
    value: Any
    stamp: object
    places: Sequence[Any]
    vector: Sequence[Any]
    expires: float
    weight: int
    subjects: Subjects = NOBODY


class Memory:
    """Thread-safe. `limit` in bytes; what alone is larger than a quarter of it is not kept."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.weight = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: str, entry: Entry) -> None:
        entry.weight += ENTRY + sys.getsizeof(key) + _bytes(entry.places) + _bytes(entry.vector)
        with self._lock:
            if (old := self._entries.pop(key, None)) is not None:
                self.weight -= old.weight
            if entry.weight > self.limit // 4:
                return
            self._entries[key] = entry
            self.weight += entry.weight
            while self.weight > self.limit:
                _, dropped = self._entries.popitem(last=False)
                self.weight -= dropped.weight

    def trim(self, weight: int) -> None:
        """Down to this many bytes, the longest unused first."""
        with self._lock:
            while self._entries and self.weight > weight:
                _, dropped = self._entries.popitem(last=False)
                self.weight -= dropped.weight

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self.weight = 0

    def by_family(self) -> dict[str, tuple[int, int]]:
        """Family -> entries and bytes held now."""
        held: dict[str, tuple[int, int]] = {}
        with self._lock:
            for entry in self._entries.values():
                count, weight = held.get(entry.family, (0, 0))
                held[entry.family] = (count + 1, weight + entry.weight)
        return held


def _bytes(sequence: Sequence[Any]) -> int:
    held = 0 if isinstance(sequence, array) else sum(map(sys.getsizeof, sequence))
    return sys.getsizeof(sequence) + held
