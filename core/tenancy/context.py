"""Whose data may be touched right now, and how the database learns of it.

A *scope* says for which clinic and by whom. It is held in a context variable and sent to PostgreSQL, transaction-local,
just before the first statement that needs it: `unit_of_work` opens the transaction, row-level security does the rest.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connections, transaction
from psycopg.pq import TransactionStatus

from core.errors import ClinicScopeRequired

if TYPE_CHECKING:
    from core.tenancy.models import Clinic

logger = logging.getLogger(__name__)

SEND_CONTEXT = (
    "SELECT set_config('hms.clinic_id', %s, true), set_config('hms.user_id', %s, true), "
    "set_config('hms.request_id', %s, true), set_config('hms.reason', %s, true)"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """For which clinic, by whom, why. `platform` crosses clinics as hms_platform."""

    clinic_id: UUID | None = None
    user_id: UUID | None = None
    request_id: str = ""
    reason: str = ""
    platform: bool = False

    def settings(self) -> tuple[str, str, str, str]:
        return (str(self.clinic_id or ""), str(self.user_id or ""), self.request_id, self.reason)


_scope: ContextVar[Scope | None] = ContextVar("hms_scope", default=None)


def current_scope() -> Scope | None:
    return _scope.get()


def current_clinic_id() -> UUID:
    """The clinic in whose scope the code runs. Raises ClinicScopeRequired outside of one."""
    scope = _scope.get()
    if scope is None or scope.clinic_id is None:
        raise ClinicScopeRequired("A clinic's data was asked for outside of a clinic scope.")
    return scope.clinic_id


class ContextSender:
    """Sends the scope before a statement whenever the transaction doesn't know it yet (an execute wrapper)."""

    def __init__(self) -> None:
        self.sent: tuple[str, ...] | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        scope = _scope.get() or Scope()
        wanted = scope.settings()
        if wanted != self.sent:
            # On the driver itself: this statement is ours, neither wrapped nor counted.
            context["connection"].connection.execute(SEND_CONTEXT, wanted)
            self.sent = wanted
        try:
            return execute(sql, params, many, context)
        finally:
            if isinstance(sql, str) and sql.startswith("ROLLBACK TO SAVEPOINT"):
                self.sent = None  # what was set inside the savepoint is gone


@contextmanager
def entered(scope: Scope) -> Iterator[Scope]:
    """Within the block `scope` is the current one. Opens no transaction: use `unit_of_work` or `clinic_scope`."""
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


@contextmanager
def unit_of_work(scope: Scope) -> Iterator[Scope]:
    """One transaction in which the database knows the scope. Nothing goes on the wire before the first statement."""
    alias = "platform" if scope.platform else "default"
    connection = connections[alias]
    with ExitStack() as stack:
        stack.enter_context(entered(scope))
        stack.enter_context(transaction.atomic(using=alias))
        sender = ContextSender()
        stack.enter_context(connection.execute_wrapper(sender))
        try:
            yield scope
        finally:
            _forget(connection, sender)


def _forget(connection: Any, sender: ContextSender) -> None:
    """Inside an outer transaction a setting would outlive this unit: RELEASE SAVEPOINT keeps it."""
    nested = bool(connection.savepoint_ids)
    if nested and connection.connection.info.transaction_status == TransactionStatus.INERROR:
        return  # the rollback to the savepoint takes the setting back
    if nested and sender.sent is not None and not connection.needs_rollback:
        connection.connection.execute(SEND_CONTEXT, ("", "", "", ""))


@contextmanager
def clinic_scope(clinic: "Clinic | UUID", *, user_id: UUID | None = None, reason: str) -> Iterator[Scope]:
    """Enter a clinic: commands, tasks, tests and the shell. One transaction; `reason` stands in the audit context."""
    clinic_id = clinic if isinstance(clinic, UUID) else clinic.id
    outer = _scope.get()
    scope = Scope(clinic_id, user_id, outer.request_id if outer else "", reason)
    with unit_of_work(scope):
        yield scope


@contextmanager
def narrowed(**changes: Any) -> Iterator[Scope]:
    """Change the current scope (a request that has found its clinic) within its running unit of work."""
    with entered(replace(_scope.get() or Scope(), **changes)) as scope:
        yield scope


@contextmanager
def platform_scope(*, reason: str, user_id: UUID | None = None) -> Iterator[Scope]:
    """Cross clinics, as hms_platform. The only way to; every entry is logged with its reason."""
    if not reason:
        raise ValueError("A platform scope needs a reason.")
    logger.info("platform scope entered", extra={"reason": reason, "user_id": str(user_id or "")})
    outer = _scope.get()
    with unit_of_work(Scope(None, user_id, outer.request_id if outer else "", reason, platform=True)) as scope:
        yield scope
