"""What a web process does about its memory before its first request."""

import ctypes
import gc

ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
ARENAS = 2


def settle() -> None:
    """Once the application is loaded: what was made until now stays, so no collection looks at it again.

    Threads share two arenas: with one each, glibc keeps what every thread once needed at the same time.
    """
    gc.collect()
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(ARENA_MAX, ARENAS)
