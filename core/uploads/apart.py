"""Runs a command with something on its standard input, and believes nothing about it: not that it ends, not how much it says."""

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence

PIECE = 64 * 1024  # bytes; what a pipe holds


class NoAnswer(Exception):
    """It took too long or said too much, and was ended. The message says which."""


def answer_of(
    command: Sequence[str], given: bytes, *, seconds: float, most: int, environment: Mapping[str, str]
) -> tuple[int, bytes]:
    """How it ended, and what it wrote. Raises NoAnswer after `seconds` by the clock or `most` bytes.

    What it writes to standard error is dropped: it may hold pieces of what it was given.
    """
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        until = time.monotonic() + seconds
        try:
            answer = _exchanged(process, given, until, most)
            return process.wait(timeout=max(0.0, until - time.monotonic())), answer
        except subprocess.TimeoutExpired as error:
            raise NoAnswer("It took too long.") from error
        finally:
            process.kill()  # nothing, when it has ended


def _exchanged(process: "subprocess.Popen[bytes]", given: bytes, until: float, most: int) -> bytes:
    """Writes and reads in turns, as the pipes allow, until the other side has closed its own."""
    assert process.stdin and process.stdout  # noqa: S101  (asked for above)
    unsent, answer = memoryview(given), bytearray()
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as pipes:
        pipes.register(process.stdin, selectors.EVENT_WRITE)
        pipes.register(process.stdout, selectors.EVENT_READ)
        while process.stdout in pipes.get_map():
            if (left := until - time.monotonic()) <= 0:
                raise NoAnswer("It took too long.")
            for ready, _events in pipes.select(left):
                if ready.fileobj is process.stdin:
                    unsent = _sent(ready.fd, unsent)
                    if not unsent:
                        pipes.unregister(process.stdin)
                        process.stdin.close()
                elif piece := os.read(ready.fd, PIECE):
                    answer += piece
                else:
                    pipes.unregister(process.stdout)
                if len(answer) > most:
                    raise NoAnswer("It said too much.")
    return bytes(answer)


def _sent(pipe: int, unsent: memoryview) -> memoryview:
    """What is left to be sent: nothing, when nobody reads any more."""
    try:
        return unsent[os.write(pipe, unsent[:PIECE]) :]
    except BrokenPipeError:
        return unsent[:0]
