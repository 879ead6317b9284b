"""Run a unit of work again when the database turned it down or the connection broke: for units that may run twice."""

import functools
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import InterfaceError, NotSupportedError, OperationalError, connections

from core.database.trouble import is_transient

logger = logging.getLogger(__name__)

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds; each pause is random between nothing and twice the one before

_running: ContextVar[bool] = ContextVar("hms_retry", default=False)


def retry[**P, R](unit: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that opens its unit of work itself and may run twice.

    After a deadlock, a serialisation failure or a broken connection it runs anew, four times in all. A COMMIT whose answer
    was lost may have happened: so the second run must do no harm. Raises RuntimeError inside an open transaction or inside
    another `retry`: there the part that is turned down is not the whole that has to run again.
    """

    @functools.wraps(unit)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        with _outermost(unit.__qualname__):
            for attempt in range(1, TRIES):
                try:
                    return unit(*args, **kwargs)
                except (OperationalError, InterfaceError, NotSupportedError) as error:
                    if not is_transient(error):
                        raise
                    logger.warning("%s runs again after %s (%d of %d).", unit.__qualname__, _name(error), attempt + 1, TRIES)
                time.sleep(random.uniform(0, min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)))  # noqa: S311
            return unit(*args, **kwargs)

    return retried


def may_retry() -> bool:
    """Is the code in no transaction and no `retry` yet? Then what it begins now is the whole that can run again."""
    return not _running.get() and not any(_in_transaction(one) for one in connections.all(initialized_only=True))


@contextmanager
def _outermost(name: str) -> Iterator[None]:
    if not may_retry():
        raise RuntimeError(f"{name} retries a whole unit of work; it can't be part of another.")
    token = _running.set(True)
    try:
        yield
    finally:
        _running.reset(token)


def _in_transaction(connection: Any) -> bool:
    """In one of ours; the one that Django puts around a test doesn't count, as with `atomic(durable=True)`."""
    return bool(connection.atomic_blocks) and not connection.atomic_blocks[-1]._from_testcase


def _name(error: BaseException) -> str:
    """Never its text: that may quote rows."""
    return type(error.__cause__ or error).__name__
