"""What web and worker processes do about their memory: before their first work, and while they live."""

import ctypes
import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import connections

from core.database.pool import pool_statistics
from core.memory.asking import Desk
from core.memory.watch import begin_watch
from hms.farewell import Farewell

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker

ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
ARENAS = 2
BEYOND = 1 << 40  # kB
FAREWELL = 3.0  # seconds


def settle() -> None:
    """Once the application is loaded: what was made until now stays, so no collection looks at it again.

    Threads share two arenas: with one each, glibc keeps what every thread once needed at the same time.
    """
    gc.collect()
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(ARENA_MAX, ARENAS)


def freeze_before_forks() -> None:
    """In the process that forks all others, once the application is loaded. Raises RuntimeError where something has begun that must
    not be shared: a thread would be missing in the others, and two processes can't speak on one connection."""
    begun = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
    begun += [f"pool of {alias}" for alias in pool_statistics()]
    begun += [f"connection of {one.alias}" for one in connections.all(initialized_only=True) if one.connection is not None]
    if begun:
        raise RuntimeError(f"Begun before the fork: {', '.join(begun)}.")
    gc.collect()
    gc.freeze()


def watch_web(worker: "Worker") -> None:
    """Leaving is what gunicorn does after `max_requests`: no new connections, the requests under way end, streams are told to
    come back, the arbiter starts another process. Before that each answer says for a while that it is its connection's last one."""

    def leave() -> None:
        if isinstance(worker.asgi, Farewell):
            worker.asgi.leaving = True
        threading.Timer(FAREWELL, end).start()

    def end() -> None:
        worker.alive = False

    _begin("web", leave)


def watch_worker() -> None:
    """Leaving is what Celery does when a process has used more than HMS_WORKER_MAX_MB: it is replaced after its job. Celery asks
    `mem_rss` after each job, so it is told a number that is beyond every limit."""
    from billiard import pool  # type: ignore[import-untyped]

    def leave() -> None:
        pool.mem_rss = lambda: BEYOND

    _begin("worker", leave)


def _begin(kind: str, leave: Callable[[], None]) -> None:
    desk = Desk(kind)
    watch = begin_watch(leave)
    watch.also(desk.look)
    watch.start()
