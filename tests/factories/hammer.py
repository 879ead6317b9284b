"""Many processes that hit one key as fast as they can: `python -m tests.factories.hammer PORT SECONDS`, JSON out.

They fork from a process that has no threads, which a test's own process can't promise. It knows of HMS only the script that
runs in Redis.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import redis

from core.security.limiting import redis_log
from core.security.limiting.rates import Window
from core.security.limiting.verdicts import Demand

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8
WINDOWS = (Window(40, 200_000), Window(130, 1_000_000))


def hammer(port: int, seconds: float) -> tuple[int, list[tuple[int, int, int]]]:
    """How often Redis was asked, and of each hit that it let in: our clock before, its own, ours after."""
    client: Any = redis.Redis(port=port, protocol=2)
    replies: list[Any] = []
    for name in ("evalsha", "eval"):
        setattr(client, name, _noting(getattr(client, name), replies))
    until = time.monotonic() + seconds
    told, asked = [], 0
    while time.monotonic() < until:
        before = time.time_ns() // 1000
        redis_log.take(client, [Demand("hammered", WINDOWS)])
        asked += 1
        now, taken, _ = replies.pop()
        if taken:
            told.append((before, now, time.time_ns() // 1000))
    return asked, told


def _noting(call: Any, replies: list[Any]) -> Any:
    def ask(*args: Any) -> Any:
        replies.append(call(*args))
        return replies[-1]

    return ask


def started(port: int, seconds: float, module: str = "tests.factories.hammer") -> "subprocess.Popen[str]":
    """The processes, about to begin."""
    command = [sys.executable, "-m", module, str(port), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def told_by(process: "subprocess.Popen[str]") -> list[Any]:
    """What each of them told, once all have ended."""
    told: list[Any] = json.loads(process.communicate(timeout=180)[0])
    return told


def run(work: Callable[[int, float], Any]) -> None:
    """Let PROCESSES of them do the work at the same time, and write what each returns."""
    with get_context("fork").Pool(PROCESSES) as pool:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        json.dump(pool.starmap(work, [(int(sys.argv[1]), float(sys.argv[2]))] * PROCESSES, chunksize=1), sys.stdout)


if __name__ == "__main__":
    run(hammer)
