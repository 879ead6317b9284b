"""Processes of one parent that grow by so many MB each (the arguments after the folder) and look at a memory that is nearly full,
one after the other in that order; each says what it did. Run by itself: the tests' own process has siblings of its own."""

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from typing import Any

from django.conf import settings

FULL = 97  # percent


def grow_and_look(megabytes: int, turn: int, together: Barrier, said: Any) -> None:
    from core.memory.limits import Share
    from core.memory.watch import Watch

    watch = Watch(lambda: None, lambda: Share(FULL, 100, "container"))
    kept = b"x" * (megabytes * 2**20)
    together.wait()
    for number in range(together.parties):
        if number == turn:
            watch.look()
            watch.look()
            said.put(f"{megabytes} MB: {watch.counts.trimmed} {watch.counts.collected} {watch.counts.left}")
        together.wait()
    del kept


def main(folder: str, *sizes: str) -> None:
    settings.configure(VAR_DIR=folder)
    forked = multiprocessing.get_context("fork")
    together, said = forked.Barrier(len(sizes), timeout=60), forked.Queue()
    processes = [
        forked.Process(target=grow_and_look, args=(int(size), number, together, said), daemon=True)
        for number, size in enumerate(sizes)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    for _ in processes:
        sys.stdout.write(f"{said.get(timeout=60)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
