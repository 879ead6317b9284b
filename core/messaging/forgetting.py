"""Messages to somebody who is to be forgotten."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

FORGET = "DELETE FROM core_outgoingmessage WHERE to_digest = ANY(%s) OR digests && %s::varchar[] OR id = ANY(%s)"


def forget_messages(connection: psycopg.Connection[Any], digests: Sequence[str], ids: Sequence[UUID] = ()) -> int:
    """Remove what was sent, or waits to be sent, to addresses with these digests (`digests.digest_of`) or has one of these ids, as
    hms_maintenance.

    Returns how many. One statement.
    """
    return connection.execute(FORGET, [list(digests), list(digests), list(ids)]).rowcount
