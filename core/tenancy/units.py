"""What one transaction of ours has done so far: whether it wrote, and which tags its changes touched."""

import re
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.db import connections, transaction
from psycopg.pq import TransactionStatus

READS = re.compile(r"[\s(]*(SELECT|SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT|SHOW|EXPLAIN \(FORMAT)\b", re.IGNORECASE)
IN_DOUBT = re.compile(
    r"\b(?:(?:INSERT|UPDATE|DELETE|MERGE|INTO|SHARE|ISOLATION)\b|hms_\w+\s*\(|pg_(?:try_)?advisory)", re.IGNORECASE
)
# Nothing of this table is ever cached (tests/core/cache), so a row in it makes no other read differ from everybody's.
APART = re.compile(r"\s*INSERT INTO core_idempotencyrecord\b")
SAVEPOINT = re.compile(r'(ROLLBACK TO |RELEASE |)SAVEPOINT ("?\w+"?)')
TOUCHED = "SELECT current_setting('hms.touched', true)"
ALIASES = ("default", "platform")
LONGEST = 8192  # characters of a statement that is remembered: together they take four megabytes at most


class Unit:
    """The outermost transaction on one connection."""

    __slots__ = ("_mark", "_savepoints", "delivered", "touched", "written")

    def __init__(self) -> None:
        self._mark = ""
        self._savepoints: dict[str, bool] = {}  # had it written when it set this one?
        self.written = False
        self.touched: tuple[str, ...] = ()
        self.delivered = True  # did its announcement reach everybody before the response left?

    @property
    def mark(self) -> str:
        """Names it in notices; random, and not a secret. Made when it is first said."""
        self._mark = self._mark or secrets.token_hex(8)
        return self._mark

    def note(self, sql: Any) -> None:
        """A statement is about to run: does it write, or lock? When in doubt, yes. A rollback to a savepoint undoes both."""
        if isinstance(sql, str) and (found := SAVEPOINT.fullmatch(sql)):
            if not found[1]:
                self._savepoints[found[2]] = self.written
            elif found[1] == "ROLLBACK TO ":
                self.written = self._savepoints.get(found[2], self.written)
        elif not self.written and not (isinstance(sql, str) and _only_reads(sql)):
            self.written = True

    def collect(self, connection: Any) -> None:
        """Just before COMMIT: learn what the triggers noted. One statement if something was written, else none."""
        driver = connection.connection
        if not self.written or driver is None or driver.info.transaction_status != TransactionStatus.INTRANS:
            return
        with connection.wrap_database_errors:
            (noted,) = driver.execute(TOUCHED).fetchone()
        self.touched = tuple((noted or "").split())


def _only_reads(sql: str) -> bool:
    if READS.match(sql):
        return _is_plain(sql) if len(sql) <= LONGEST else _is_plain.__wrapped__(sql)
    return bool(APART.match(sql))


@lru_cache(maxsize=512)
def _is_plain(sql: str) -> bool:
    """Does this SELECT neither write nor lock? Looking through the text of a list takes a tenth of a millisecond."""
    return not IN_DOUBT.search(sql)


_after_commit: list[Callable[[Unit], None]] = []


def after_commit(tell: Callable[[Unit], None]) -> None:
    """Call `tell` with every unit that has committed and touched something, before anything else happens. Must not raise."""
    _after_commit.append(tell)


def committed(unit: Unit) -> None:
    if unit.touched:
        for tell in _after_commit:
            tell(unit)


def once_after_commit(call: Callable[[], object], *, using: str) -> None:
    """Call it when the running transaction has committed, at once where there is none; asked for again in the same transaction,
    still once. Calls are the same if they are equal. What it raises is logged: the change has been made."""
    if not any(one[1] == call for one in connections[using].run_on_commit):  # a rollback takes its own away
        transaction.on_commit(call, using=using, robust=True)


def unit_of(connection: Any) -> Unit | None:
    """The unit that is open on this connection, or None."""
    unit: Unit | None = vars(connection).get("hms_unit")
    return unit


def sees_only_what_is_committed() -> bool:
    """Would a read now see what everybody sees? Not when this thread's transaction has written, or isn't a unit of ours."""
    for alias in ALIASES:
        connection = connections[alias]
        if connection.in_atomic_block:
            unit = unit_of(connection)
            if unit is None or unit.written:
                return False
    return True
