"""A clinic's sealed rows in a transaction that is rolled back: what the tests of both sealed logs ask and do."""

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg


class SealedRows:
    """`folder` is where the anchors go."""

    def __init__(self, connection: psycopg.Connection[Any], clinic_id: UUID, folder: Path) -> None:
        self.connection, self.clinic_id, self.folder = connection, clinic_id, folder

    def do(self, statement: str, **values: Any) -> None:
        self.connection.execute(statement, {"clinic": self.clinic_id, **values})

    def one(self, statement: str, **values: Any) -> Any:
        found = self.connection.execute(statement, {"clinic": self.clinic_id, **values}).fetchone()
        assert found
        return found[0]

    def row_of(self, table: str, block: int, position: int) -> int:
        """The number of a row of that block; the first is at 1."""
        return int(self.one("SELECT row_ids[%(n)s] FROM core_seal WHERE clinic_id = %(clinic)s AND table_name = %(table)s "
                            "AND number = %(block)s", table=table, block=block, n=position))  # fmt: skip
