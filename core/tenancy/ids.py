"""Keys: UUIDv7, made here because PostgreSQL before 18 can't."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7: sorts by the time it was made, to the millisecond."""
    return uuid7()
