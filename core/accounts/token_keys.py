"""The keys that sign API tokens: by name, so that a new one can take over while old tokens are still good."""

import re
from functools import lru_cache

from django.conf import settings

TOKEN_KEY = re.compile(r"([A-Za-z0-9._-]{1,32}):(.+)", re.DOTALL)
TOKEN_KEY_BYTES = 32  # what HS256 needs at least (RFC 7518, 3.2)


def signing_key() -> tuple[str, bytes]:
    """Name and secret of the first key."""
    return next(iter(ring_of(tuple(settings.HMS_TOKEN_KEYS)).items()))


@lru_cache(maxsize=4)
def ring_of(keys: tuple[str, ...]) -> dict[str, bytes]:
    """`HMS_TOKEN_KEYS=2:<secret>,1:<secret>`: the first signs, all verify. Raises ValueError for what is no ring."""
    matches = [TOKEN_KEY.fullmatch(entry) for entry in keys]
    if not matches or not all(matches):
        raise ValueError("HMS_TOKEN_KEYS is not set, or holds an entry that is not `name:secret`.")
    return {match[1]: match[2].encode() for match in matches if match}
