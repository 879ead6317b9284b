"""Whose data may be touched right now, and how the database learns of it.

A *scope* says for which clinic and by whom. It is held in a context variable and sent to PostgreSQL, transaction-local,
just before the first statement that needs it: `unit_of_work` opens the transaction, row-level security does the rest.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import connections, transaction
from psycopg.pq import TransactionStatus

from core.errors import ClinicScopeRequired
from core.tenancy.limits import Limits
from core.tenancy.units import Unit, committed, unit_of

if TYPE_CHECKING:
    from core.tenancy.models import Clinic

logger = logging.getLogger(__name__)

SEND_CONTEXT = (
    "SELECT set_config('hms.clinic_id', %s, true), set_config('hms.user_id', %s, true), "
    "set_config('hms.request_id', %s, true), set_config('hms.reason', %s, true), "
    "set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
)
SEND_UNIT = ", set_config('hms.unit', %s, true)"


class Scope(NamedTuple):
    """For which clinic, by whom, why, within which limits (None: the connection's). `platform` crosses clinics as hms_platform;
    with `replica` what is only read may come from there."""

    clinic_id: UUID | None = None
    user_id: UUID | None = None
    request_id: str = ""
    reason: str = ""
    platform: bool = False
    limits: Limits | None = None
    replica: bool = False

    def settings(self, limits: Limits) -> tuple[str, ...]:
        """The values of SEND_CONTEXT; `limits` are those of the connection."""
        own = str(self.clinic_id or ""), str(self.user_id or ""), self.request_id, self.reason
        return (*own, *(self.limits or limits).settings())


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
    """Sends the scope, and the unit's mark, before a statement whenever the transaction doesn't know them yet.

    An execute wrapper; it also lets the unit see what is about to run.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.sent: tuple[str, ...] | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        scope = _scope.get() or Scope()
        connection = context["connection"]
        self.unit.note(sql)
        if vars(connection).get("hms_sender") is not self:
            return execute(sql, params, many, context)  # a unit inside of this one speaks
        wanted = scope.settings(connection.limits)
        if wanted != self.sent:
            connection.obey(scope.limits or connection.limits)
            # On the driver itself: this statement is ours, neither wrapped nor counted.
            with connection.wrap_database_errors:
                connection.connection.execute(SEND_CONTEXT + SEND_UNIT, (*wanted, self.unit.mark))
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
    """One transaction in which the database knows the scope. Nothing goes on the wire before the first statement.

    When the outermost one has committed, those who keep copies are told which tags it touched (core.tenancy.units): one
    statement more if it wrote. Inside a transaction that is not ours (a test's) nobody is told, for it may roll back.
    """
    alias = "platform" if scope.platform else "default"
    connection = connections[alias]
    outermost = not connection.in_atomic_block
    with entered(scope), transaction.atomic(using=alias):
        unit = (None if outermost else unit_of(connection)) or Unit()
        begun = _begun(connection, unit) if outermost else nullcontext()
        with begun, _speaking(connection, unit) as sender, connection.execute_wrapper(sender):
            yield scope


@contextmanager
def _begun(connection: Any, unit: Unit) -> Iterator[None]:
    """The unit is the connection's until its transaction ends."""
    connection.on_commit(partial(committed, unit))  # the first hook, so it runs before all others
    connection.hms_unit = unit
    try:
        yield
        if not connection.needs_rollback:
            unit.collect(connection)
    finally:
        connection.hms_unit = None


@contextmanager
def _speaking(connection: Any, unit: Unit) -> Iterator[ContextSender]:
    """Of units inside each other the innermost tells the database its scope; afterwards the outer one tells its own anew."""
    outer, sender = vars(connection).get("hms_sender"), ContextSender(unit)
    connection.hms_sender = sender
    try:
        yield sender
    finally:
        connection.hms_sender = outer
        if outer is None:
            _forget(connection, sender)
        else:
            outer.sent = None


def _forget(connection: Any, sender: ContextSender) -> None:
    """Inside a transaction that is not ours a setting would outlive this unit: RELEASE SAVEPOINT keeps it."""
    driver = connection.connection
    if driver is None or driver.info.transaction_status != TransactionStatus.INTRANS:
        return  # nothing is left, or the rollback to the savepoint takes the setting back
    if connection.savepoint_ids and sender.sent is not None and not connection.needs_rollback:
        with connection.wrap_database_errors:
            connection.connection.execute(SEND_CONTEXT, Scope().settings(connection.limits))


@contextmanager
def reading_from(alias: str) -> Iterator[Scope]:
    """Within the running unit of work reads go to a replica, in a transaction that knows the scope as well."""
    connection = connections[alias]
    with narrowed(replica=True) as scope, transaction.atomic(using=alias), _speaking(connection, Unit()) as sender:
        with connection.execute_wrapper(sender):
            yield scope


@contextmanager
def clinic_scope(clinic: "Clinic | UUID", *, user_id: UUID | None = None, reason: str) -> Iterator[Scope]:
    """Enter a clinic: commands, tasks, tests and the shell. One transaction; `reason` stands in the audit context."""
    clinic_id = clinic if isinstance(clinic, UUID) else clinic.id
    outer = _scope.get() or Scope()
    scope = Scope(clinic_id, user_id, outer.request_id, reason, limits=outer.limits)
    with unit_of_work(scope):
        yield scope


@contextmanager
def narrowed(**changes: Any) -> Iterator[Scope]:
    """Change the current scope (a request that has found its clinic) within its running unit of work."""
    scope = (_scope.get() or Scope())._replace(**changes)
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


@contextmanager
def person_scope(user_id: UUID, *, reason: str) -> Iterator[Scope]:
    """A person's own rows, where the request's scope names nobody yet or somebody else: in the open unit, else in one of its own.

    Inside a platform scope nothing changes: it sees them anyway.
    """
    outer = _scope.get() or Scope()
    if outer.platform:
        yield outer
    elif vars(connections["default"]).get("hms_sender") is not None:
        with narrowed(user_id=user_id) as scope:
            yield scope
    else:
        with unit_of_work(Scope(None, user_id, outer.request_id, reason, limits=outer.limits)) as scope:
            yield scope


@contextmanager
def platform_scope(*, reason: str, user_id: UUID | None = None) -> Iterator[Scope]:
    """Cross clinics, as hms_platform. The only way to; every entry is logged with its reason."""
    if not reason:
        raise ValueError("A platform scope needs a reason.")
    logger.info("platform scope entered", extra={"reason": reason, "user_id": str(user_id or "")})
    outer = _scope.get() or Scope()
    with unit_of_work(Scope(None, user_id, outer.request_id, reason, platform=True, limits=outer.limits)) as scope:
        yield scope
