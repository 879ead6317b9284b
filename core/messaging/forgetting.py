"""Messages to somebody who is to be forgotten."""

from collections.abc import Sequence
from typing import Any

import psycopg


def forget_messages(connection: psycopg.Connection[Any], digests: Sequence[str]) -> int:
    """Remove what was sent, or waits to be sent, to addresses with these digests (`services.digest_of`), as hms_maintenance.

    Returns how many. One statement.
    """
    return connection.execute("DELETE FROM core_outgoingmessage WHERE to_digest = ANY(%s)", [list(digests)]).rowcount
