"""Django's PostgreSQL, with three differences.

- It takes a connection at the first statement: a transaction in which nothing is asked needs no database.
- It goes through the server's breaker, and each exchange has a deadline.
- A COMMIT that could only roll back raises instead of succeeding.
"""

import atexit
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolTimeout

from core.database.backend.driver import Guard, check, guarded_by
from core.database.breaker import breaker_of
from core.tenancy.limits import Limits

PATIENCE = 0.25  # seconds that a thread waits for the pool before it asks whether the server is there at all
TRANSACTION_STATE = ("in_atomic_block", "atomic_blocks", "savepoint_ids", "needs_rollback", "commit_on_exit", "run_on_commit")


class DatabaseWrapper(base.DatabaseWrapper):
    """A thread's connection for one alias. `settings_dict["GUARD"]`: `deadline` in seconds, `breaker`, `limits`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = self.settings_dict.get("GUARD", {})
        self.limits: Limits = given.get("limits", Limits())
        self._begins_with_connection = False
        if isinstance(pool := self.settings_dict["OPTIONS"].get("pool"), dict):
            pool["connection_class"], pool["check"] = guarded_by(self.guard), check

    @property
    def guard(self) -> Guard:
        given = self.settings_dict.get("GUARD", {})
        host, port, user, name = (str(self.settings_dict[part]) for part in ("HOST", "PORT", "USER", "NAME"))
        return Guard(given.get("deadline"), breaker_of((host, port, user, name)) if given.get("breaker") else None)

    def obey(self, limits: Limits) -> None:
        """Wait for the server as long as a statement may run under these limits, and a second."""
        self.connection.deadline = self._deadline(limits)

    @property
    def _own_deadline(self) -> float | None:
        """Outside of a unit of work: no shorter than the server lets a statement run."""
        return self._deadline(self.limits) if self.limits.statement else self.guard.deadline

    def _deadline(self, limits: Limits) -> float | None:
        deadline = self.guard.deadline
        if deadline is None or not limits.statement:
            return None
        return max(deadline, limits.statement / 1000 + 1)

    # --- Connecting -----------------------------------------------------------------------------------------------------
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self.isolation_level = IsolationLevel.READ_COMMITTED
        guard = self.guard
        if guard.breaker:
            guard.breaker.check()
        connection = self._from_pool(guard) if self.pool else guarded_by(guard).connect(**conn_params)
        connection.deadline = self._own_deadline
        return connection

    def _from_pool(self, guard: Guard) -> Any:
        """Wait for the pool in short turns: when the server goes away meanwhile, so do those who wait."""
        self.pool.open()
        until = time.monotonic() + self.pool.timeout
        while True:
            try:
                return self.pool.getconn(timeout=PATIENCE)
            except PoolTimeout:
                if guard.breaker:
                    guard.breaker.check()
                if time.monotonic() >= until:
                    raise

    def _configure_connection(self, connection: Any) -> bool:
        """Statements outside of a unit of work have limits too. One round trip for each new connection."""
        commit: bool = super()._configure_connection(connection)  # type: ignore[misc]
        if any(self.limits):
            setting = "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"
            connection.execute(setting, self.limits.settings())
            return True
        return commit

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.deadline = self._own_deadline  # what a unit was allowed ends with it
        super()._close()  # type: ignore[misc]

    # --- A transaction begins with its first statement ------------------------------------------------------------------
    def get_autocommit(self) -> bool:
        if self.connection is None and not self.closed_in_transaction:
            return not self._begins_with_connection
        return bool(super().get_autocommit())

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        if self.connection is not None or self.closed_in_transaction:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
            return
        self.validate_no_atomic_block()
        self._begins_with_connection = not autocommit
        if autocommit and self.run_commit_hooks_on_set_autocommit_on:
            self.run_commit_hooks_on_set_autocommit_on = False
            self.run_and_clear_commit_hooks()

    def connect(self) -> None:
        """What is asked while connecting (types, the version) belongs to no unit: wrappers, as the context's, come after it."""
        wrappers, self.execute_wrappers = self.execute_wrappers, []
        try:
            if self._begins_with_connection:
                self._connect_and_begin()
            else:
                super().connect()
        finally:
            self.execute_wrappers = wrappers

    def _connect_and_begin(self) -> None:
        state = {name: getattr(self, name) for name in TRANSACTION_STATE}
        self._begins_with_connection = False
        try:
            super().connect()
            super().set_autocommit(False)
        except BaseException:
            self._begins_with_connection = True
            if self.connection is not None:
                self.connection.close()
                self._close()
                self.connection = None
            raise
        finally:
            vars(self).update(state)

    # --- Ending ---------------------------------------------------------------------------------------------------------
    def _commit(self) -> None:
        """PostgreSQL answers the COMMIT of a failed transaction with success, and rolls back."""
        if self.connection is not None and self.connection.info.transaction_status == TransactionStatus.INERROR:
            with self.wrap_database_errors:
                raise psycopg.errors.InFailedSqlTransaction("A statement of this transaction failed: nothing is saved.")
        super()._commit()  # type: ignore[misc]


@atexit.register
def close_pools() -> None:
    """Before the interpreter is taken apart: psycopg waits 5 s for each thread of a pool that is found open then."""
    for pool in DatabaseWrapper._connection_pools.values():  # type: ignore[attr-defined]
        pool.close(timeout=0.1)
