"""Code on connections of its own: what it commits is committed, unlike the rest of a test."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

from tests.factories.patience import PATIENCE


def apart(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at once, each in a thread with its own connections; return their results in order, or raise."""
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []
    gate = threading.Barrier(len(calls))

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            gate.wait()
            results[index] = call()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    _join([threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)])
    if errors:
        raise errors[0]
    return results


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), f"not done within {2 * PATIENCE:g} s"
