"""How long a statement of a unit of work may run, and how long it may wait for a lock."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Milliseconds; 0 is no limit."""

    statement: int = 0
    lock: int = 0

    def settings(self) -> tuple[str, str]:
        """As PostgreSQL's `statement_timeout` and `lock_timeout` take them."""
        return str(self.statement), str(self.lock)
