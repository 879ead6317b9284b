"""What an address says, read leniently: whatever is malformed counts as not said."""

from uuid import UUID

BIGGEST = 2**63 - 1


def read_number(text: str | None) -> int | None:
    """A whole number from 1 on that the database can compare with, or None."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if 0 < number <= BIGGEST else None


def read_id(text: str | None) -> UUID | None:
    """An id, or None."""
    try:
        return UUID(text or "")
    except ValueError:
        return None
