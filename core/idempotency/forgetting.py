"""Answers that are kept for a repeat and show somebody who is to be forgotten."""

import json
from typing import Any
from uuid import UUID

import psycopg

from core.idempotency.middleware import CONTEXT
from core.keys.sealing import seal, unseal
from core.security.crypto import Undecipherable

GONE = 410
# The answer of the request that anonymised is written in its own transaction, and says nothing.
ANSWERS = """
SELECT id, answer FROM core_idempotencyrecord
WHERE clinic_id = %(clinic)s AND answer <> '' AND status <> %(gone)s AND xmin::text::bigint <> %(xid)s %% 4294967296
"""


def forget_answers(connection: psycopg.Connection[Any], *, clinic_id: UUID, patient_id: UUID, except_xid: int) -> int:
    """Empty the kept answers that show the patient, as hms_maintenance, in the clinic's scope; a repeat is told 410.

    All of the clinic's answers of a day are opened, but the one of the transaction `except_xid`. Returns how many were emptied.
    """
    rows = connection.execute(ANSWERS, {"clinic": clinic_id, "gone": GONE, "xid": except_xid}).fetchall()
    shown = [record_id for record_id, answer in rows if _shows(bytes(answer), patient_id)]
    empty = json.dumps({"body": "", "headers": {}}).encode()
    for record_id in shown:
        connection.execute(
            "UPDATE core_idempotencyrecord SET status = %s, answer = %s WHERE id = %s",
            [GONE, seal(empty, clinic_id=clinic_id, context=CONTEXT), record_id],
        )
    return len(shown)


def _shows(answer: bytes, patient_id: UUID) -> bool:
    """One that nobody can open any more counts: what it shows can't be known."""
    try:
        packed = bytes.fromhex(json.loads(unseal(answer, context=CONTEXT)).get("patients", ""))
    except Undecipherable:
        return True
    return patient_id.bytes in {packed[at : at + 16] for at in range(0, len(packed), 16)}
