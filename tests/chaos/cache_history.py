"""One process of the cache's stress: reads and writes counters, and sees for itself whether a promise is broken.

    python -m tests.chaos.cache_history FOLDER ID[,ID...]

A counter is the name of a user made for the run. After each write the process notes in a file that all processes map: which
number is in the database for certain, and since when (CLOCK_MONOTONIC, the same for all processes of one machine). Before each
read it looks there what the read must see at least.
"""

import fcntl
import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

RING = 64
CELL = 8 + RING * 16  # the highest number that everybody must see; then (when, number) of writes that may take a while
LATE = 1.0  # seconds until everybody sees a change that went by PostgreSQL's notices alone
SLACK = 0.25  # seconds: the clock is read before the answer is, on a machine that has other things to do


class Board:
    """What has been written, for all processes."""

    def __init__(self, folder: Path, counters: int) -> None:
        self._file = os.open(folder / "board", os.O_RDWR | os.O_CREAT)
        os.ftruncate(self._file, CELL * counters)
        self._map = mmap.mmap(self._file, CELL * counters)

    def wrote(self, counter: int, number: int, *, at_once: bool) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)  # given back when the process is killed
        try:
            start = counter * CELL
            if at_once:
                (known,) = struct.unpack_from("q", self._map, start)
                struct.pack_into("q", self._map, start, max(known, number))
            else:
                struct.pack_into("dq", self._map, start + 8 + number % RING * 16, time.monotonic(), number)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def least(self, counter: int) -> tuple[int, int]:
        """What a read that begins now must see: of writes known at once, and of those that may take a while."""
        (at_once,) = struct.unpack_from("q", self._map, counter * CELL)
        before = time.monotonic() - LATE - SLACK
        late = [
            number
            for when, number in struct.iter_unpack("dq", self._map[counter * CELL + 8 : (counter + 1) * CELL])
            if 0 < when < before
        ]
        return at_once, max(late, default=0)


def main(folder: Path, ids: list[UUID]) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.db import connections
    from django.db.utils import Error

    from core.accounts.models import User
    from core.cache import Key, Tag, cache
    from core.cache.process import listener
    from core.tenancy.context import Scope, unit_of_work
    from core.tenancy.units import Unit, after_commit

    board = Board(folder, len(ids))
    units: list[Unit] = []
    after_commit(units.append)
    listener.start()
    seen: Counter[str] = Counter()
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))

    def read(counter: int) -> int:
        ident = ids[counter]
        return cache.get_or_set(
            Key("stress", ident), tags=lambda: [Tag("user", ident)],
            load=lambda: int(User.objects.values_list("full_name", flat=True).get(pk=ident)),
        )  # fmt: skip

    def write(counter: int) -> None:
        with unit_of_work(Scope(reason="stress")), connections["default"].cursor() as cursor:
            cursor.execute(
                "UPDATE core_user SET full_name = (full_name::int + 1)::text WHERE id = %s RETURNING full_name", [ids[counter]]
            )
            number = int(cursor.fetchone()[0])
        unit = units.pop()
        board.wrote(counter, number, at_once=unit.delivered or not settings.REDIS_URL)
        seen["delivered" if unit.delivered else "undelivered"] += 1

    while not stopping:
        counter = random.randrange(len(ids))
        try:
            if random.random() < 0.1:
                write(counter)
                continue
            at_once, late = board.least(counter)
            found = read(counter)
        except Error as error:
            seen[type(error).__name__] += 1
            connections.close_all()
            continue
        seen["reads"] += 1
        if found < max(at_once, late):
            broken = {"counter": counter, "found": found, "at_once": at_once, "late": late, "pid": os.getpid()}
            with (folder / "broken").open("a") as file:
                file.write(json.dumps(broken) + "\n")
    figures = cache.statistics.snapshot()["stress"]
    with (folder / "figures").open("a") as file:
        file.write(json.dumps(dict(seen) | figures) + "\n")
    listener.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [UUID(one) for one in sys.argv[2].split(",")])
