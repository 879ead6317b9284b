"""Taking out of the history what may no longer be known of a person. That something was there, and when, stays."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import psycopg

from core.database.roles import connection_apart


def erase_history(*, clinic_id: UUID | None, row_ids: Iterable[UUID], reason: str, user_id: UUID | None = None) -> int:
    """Null the values of all that is kept of these rows, and leave a row each that says so and why. Returns how many were nulled.

    For anonymisation: call it after the anonymised rows are committed, for the change itself kept the old values. It has a
    connection and a transaction of its own, as hms_maintenance, for hms_app may not do this: two statements. Doing it twice
    does no harm. Seals stay whole. Raises DatabaseNotFit without that role's URL, ValueError without a reason.
    """
    with connection_apart("hms_maintenance") as connection, connection.transaction():
        return erase_history_in(connection, clinic_id=clinic_id, row_ids=row_ids, reason=reason, user_id=user_id)


def erase_history_in(
    connection: psycopg.Connection[Any],
    *,
    clinic_id: UUID | None,
    row_ids: Iterable[UUID],
    reason: str,
    user_id: UUID | None = None,
) -> int:
    """The same in a transaction of hms_maintenance that is open, together with what else has to go."""
    if not reason:
        raise ValueError("History is erased for a reason.")
    connection.execute("SELECT set_config('hms.user_id', %s, true)", [str(user_id or "")])
    (done,) = connection.execute("SELECT hms_erase_history(%s, %s, %s)", [clinic_id, list(row_ids), reason]).fetchone() or (0,)
    return int(done)
