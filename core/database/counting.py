"""Counts the statements of one request: for Server-Timing, and for the budgets that the tests hold."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NOT_COUNTED = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


class StatementCounter:
    """An execute wrapper. Context, BEGIN, COMMIT and savepoints are not counted (docs/decisions)."""

    def __init__(self) -> None:
        self.count = 0
        self.milliseconds = 0.0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if isinstance(sql, str) and sql.startswith(NOT_COUNTED):
            return execute(sql, params, many, context)
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.count += 1
            self.milliseconds += (time.perf_counter() - started) * 1000

    @contextmanager
    def on(self, connection: Any) -> Iterator["StatementCounter"]:
        with connection.execute_wrapper(self):
            yield self
