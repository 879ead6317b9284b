"""What the database's errors mean to whoever asked: the one mapping, for pages and API, and for who may simply try again."""

import logging

import psycopg
from django.db import Error, InterfaceError, OperationalError
from django.utils.translation import gettext as _
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from core.database.backend.driver import NotConnected
from core.database.breaker import DatabaseAway
from core.errors import Busy, DomainError, Unavailable

TURNED_DOWN = (errors.DeadlockDetected, errors.SerializationFailure)  # rolled back by the server; the same may pass next time
STOPPING = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow)


def trouble_of(error: BaseException | None) -> DomainError | None:
    """The answer to an error of the database that is nobody's fault; None for every other error."""
    cause = _cause(error)
    if isinstance(cause, (errors.LockNotAvailable, *TURNED_DOWN)):
        return Busy(_("Somebody else is working on the same just now. Try again in a moment."))
    if isinstance(cause, errors.QueryCanceled):
        return Unavailable(_("This took longer than it may. Try again in a moment, or ask for less at once."))
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) or isinstance(error, OperationalError | InterfaceError):
        return Unavailable(_("The database can't be reached just now. Try again in a moment."))
    return None


def is_transient(error: BaseException | None) -> bool:
    """Would the same unit of work, run anew at once, probably pass? True for deadlocks and for connections that broke.

    Also for one that stalled: either its breaker refuses the second run at once, or another server is there to be asked. And
    for a prepared statement whose table has changed: psycopg forgets what is prepared when the unit rolls back.
    """
    cause = _cause(error)
    if isinstance(cause, (DatabaseAway, NotConnected, PoolTimeout, PoolClosed, TooManyRequests)):
        return False  # waited for already, or full: asking again makes it worse
    if isinstance(cause, TURNED_DOWN + STOPPING):
        return True
    if isinstance(cause, errors.FeatureNotSupported):
        return "cached plan" in str(cause)
    broke = isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None
    return broke or isinstance(cause, psycopg.InterfaceError)


def _cause(error: BaseException | None) -> BaseException | None:
    """psycopg's own error, which Django wraps."""
    return error.__cause__ if isinstance(error, Error) and error.__cause__ else error


class TroubleFilter(logging.Filter):
    """For `django.request`: one line for trouble with the database, and none for each request that the breaker refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or trouble_of(error) is None:
            return True
        cause = _cause(error)
        record.msg, record.args = "Trouble with the database: %s", (type(cause).__name__,)
        record.exc_info = record.exc_text = None
        return not isinstance(cause, DatabaseAway)
