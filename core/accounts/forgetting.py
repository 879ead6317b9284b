"""The account of a patient who is to be forgotten."""

from typing import Any
from uuid import UUID

import psycopg

from core.accounts.roles import Role
from core.history.erasing import erase_history_in
from core.messaging.forgetting import forget_messages
from core.messaging.services import digest_of

NAME = "Anonymised"
# Of somebody who is a patient and nothing else, anywhere.
ONLY_PATIENT = """
SELECT email FROM core_user u WHERE u.id = %(user)s AND u.platform_role = '' AND NOT EXISTS (
    SELECT FROM core_membership m WHERE m.user_id = u.id AND m.roles <> ARRAY[%(patient)s]::varchar[])
FOR UPDATE
"""
EMPTIED = """
UPDATE core_user SET email = id || '@anonymised.invalid', full_name = %(name)s, is_active = false, password = '!'
WHERE id = %(user)s
"""
LEFT = "UPDATE core_membership SET state = 'left' WHERE user_id = %(user)s"
ENDED = """
UPDATE core_authsession SET user_agent = '', address = '', ended_at = coalesce(ended_at, now()),
    ended_reason = CASE WHEN ended_at IS NULL THEN 'closed' ELSE ended_reason END
WHERE user_id = %(user)s
"""
THEIRS = (
    "DELETE FROM core_draft WHERE user_id = %(user)s",
    "DELETE FROM core_idempotencyrecord WHERE user_id = %(user)s",
    "DELETE FROM core_secondfactor WHERE user_id = %(user)s",
)


def forget_account(connection: psycopg.Connection[Any], user_id: UUID, *, reason: str, by: UUID | None = None) -> bool:
    """Close the account for ever and empty it, with its history, as hms_maintenance. The caller has seen that it opens no record.

    False, and nothing happens, when the person is more than a patient, or is forgotten already. Nine statements.
    """
    given = {"user": user_id, "patient": Role.PATIENT.value, "name": NAME}
    found = connection.execute(ONLY_PATIENT, given).fetchone()
    if found is None or found[0].endswith("@anonymised.invalid"):
        return False
    for statement in (EMPTIED, LEFT, ENDED, *THEIRS):
        connection.execute(statement, given)
    forget_messages(connection, [digest_of(found[0])])
    erase_history_in(connection, clinic_id=None, row_ids=[user_id], reason=reason, user_id=by)
    return True
