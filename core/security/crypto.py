"""The deployment's key ring: AES-256-GCM under numbered keys, so that a new key can take over while old values stay readable.

It wraps the clinics' own keys (core.keys), and encrypts what belongs to no clinic.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

RING = 1  # how every value under a key of the deployment's begins


class Undecipherable(ValueError):
    """The value was made under a key this installation doesn't have, or was changed."""


@lru_cache(maxsize=2)
def _keys(configured: tuple[str, ...]) -> dict[int, AESGCM]:
    """`HMS_ENCRYPTION_KEYS=2:<base64>,1:<base64>`: the first encrypts, all decrypt."""
    keys = {}
    for entry in configured:
        number, _, encoded = entry.partition(":")
        keys[int(number)] = AESGCM(base64.urlsafe_b64decode(encoded))
    if not keys:
        raise Undecipherable("HMS_ENCRYPTION_KEYS is not set.")
    return keys


def encrypt(plain: bytes, *, context: str, ring: Sequence[str] = ()) -> bytes:
    """Encrypt. `context` (a table and column) is bound to the value: it can't be read back in another place.

    `ring`: other keys than the deployment's, written like them.
    """
    number, key = next(iter(_keys(tuple(ring or settings.HMS_ENCRYPTION_KEYS)).items()))
    nonce = os.urandom(12)
    return bytes([RING, number]) + nonce + key.encrypt(nonce, plain, context.encode())


def newest_number() -> int:
    """The number of the deployment key that encrypts."""
    return next(iter(_keys(tuple(settings.HMS_ENCRYPTION_KEYS))))


def decrypt(sealed: bytes | memoryview, *, context: str, ring: Sequence[str] = ()) -> bytes:
    """Decrypt. Raises Undecipherable."""
    sealed = bytes(sealed)
    keys = _keys(tuple(ring or settings.HMS_ENCRYPTION_KEYS))
    if len(sealed) < 30 or sealed[0] != RING or sealed[1] not in keys:
        raise Undecipherable("The value was encrypted under an unknown key.")
    try:
        return keys[sealed[1]].decrypt(sealed[2:14], sealed[14:], context.encode())
    except InvalidTag as error:
        raise Undecipherable("The value does not belong here or was changed.") from error


@lru_cache(maxsize=1024)
def derived_search_key(clinic_id: UUID) -> bytes:
    """A clinic's first search key (core.keys): tokens of two clinics can't be compared."""
    return hmac.new(settings.HMS_SEARCH_KEY.encode(), clinic_id.bytes, hashlib.sha256).digest()
