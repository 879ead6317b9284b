"""Where a process is asked who uses its memory, and answers: by files, so that it needs no socket, no port and no signal.

`manage.py memory_report` writes `<pid>.ask` into a folder that only HMS's own user can enter; the process looks there as often as
it looks at its memory.
"""

import json
import os
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

from core.memory.trimming import sizes
from core.memory.usage import by_component, object_types, places

FRAMES = 1  # of a call stack: the line that allocates; more would slow the process down further
LONGEST = 600.0  # seconds


def folder() -> Path:
    found = Path(settings.VAR_DIR) / "run" / "memory"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def write(path: Path, said: Any) -> None:
    """At once or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps(said))
    draft.replace(path)


class Desk:
    """Of one process. An answer takes as many seconds as were asked for: allocations are traced meanwhile, which slows it down."""

    def __init__(self, kind: str) -> None:
        self._folder, self._pid = folder(), os.getpid()
        self._asked: dict[str, Any] | None = None
        self._middle: tracemalloc.Snapshot | None = None
        self._began = 0.0
        self._types: Counter[str] = Counter()
        write(self._file("process"), {"pid": self._pid, "kind": kind, "created": psutil.Process().create_time()})

    def look(self) -> None:
        """Is there a question, or is an answer due?"""
        if self._asked is None:
            self._begin()
            return
        passed, seconds = time.monotonic() - self._began, float(self._asked["seconds"])
        if self._middle is None and passed >= seconds / 2:
            self._middle = tracemalloc.take_snapshot()
        elif passed >= seconds:
            self._answer(seconds)

    def _file(self, kind: str) -> Path:
        return self._folder / f"{self._pid}.{kind}"

    def _begin(self) -> None:
        question = self._file("ask")
        try:
            asked = json.loads(question.read_text())
        except FileNotFoundError:
            return
        question.unlink()
        self._asked = {"seconds": min(float(asked["seconds"]), LONGEST), "top": int(asked["top"])}
        self._types, self._middle, self._began = object_types(), None, time.monotonic()
        tracemalloc.start(FRAMES)

    def _answer(self, seconds: float) -> None:
        assert self._asked is not None  # noqa: S101  (look() sees to it)
        assert self._middle is not None  # noqa: S101
        end, top = tracemalloc.take_snapshot(), self._asked["top"]
        tracemalloc.stop()
        lines = places(self._middle, end)
        types = object_types()
        grown = sorted(((name, count, count - self._types[name]) for name, count in types.items()), key=lambda one: -one[2])
        said = {
            "pid": self._pid,
            "seconds": seconds,
            "traced_bytes": sum(one["bytes"] for one in lines),
            "top": sorted(lines, key=lambda one: -one["bytes"])[:top],
            "growth": sorted(lines, key=lambda one: -one["growth_bytes"])[:top],
            "components": by_component(lines)[:top],
            "types": [{"type": name, "count": count, "growth": growth} for name, count, growth in grown[:top]],
            "caches": sizes(),
        }
        self._asked = self._middle = None
        write(self._file("answer"), said)
