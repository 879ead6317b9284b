"""How a key is written: `hms_<account>_<secret and check>`, so that scanners find a leaked one and a slip costs no query."""

import re
import secrets
import zlib
from dataclasses import dataclass
from uuid import UUID

from core.accounts.tokens import digest_of

SHAPE = re.compile(r"hms_([0-9a-f]{32})_([0-9a-f]{32})([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class KeyText:
    """What a written key says: whose it is, and the digest by which its secret is known."""

    user_id: UUID
    digest: str


def new_text(user_id: UUID) -> str:
    """A new key of this account, with 128 random bits. Nothing else keeps it: what is stored is `read_text(...).digest`."""
    begun = f"hms_{user_id.hex}_{secrets.token_hex(16)}"
    return begun + _check(begun)


def read_text(text: str) -> KeyText | None:
    """None for what was never a key of ours: another shape, or a check that does not fit."""
    match = SHAPE.fullmatch(text)
    if match is None or _check(text[:-8]) != match[3]:
        return None
    return KeyText(UUID(hex=match[1]), digest_of(text))


def _check(begun: str) -> str:
    """Finds slips of the hand; keeps nobody from making a text of the right shape."""
    return f"{zlib.crc32(begun.encode()):08x}"
