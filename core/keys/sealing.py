"""Encrypts under a clinic's newest key and reads what stands under any of its keys, or under the deployment's.

A value begins with what it is under: 1 and the number of a deployment key (core.security.crypto), or 2 and the id of a key
of its clinic. So it can be told from the value alone whether a rotation is done with it.

In a column of text, where a value may also stand in clear, a sealed one is base64 behind SEALED_TEXT: no rule for text lets
that character through.
"""

import base64
import binascii
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag

from core.keys.memory import keys_of, keys_to_write_with, owner_of
from core.security.crypto import RING, Undecipherable, decrypt

CLINIC = 2
HEADER = 17  # bytes: 2 and the key's id
SHORTEST = HEADER + 12 + 16  # and nonce and tag around nothing

SEALED_TEXT = "\x02"


def seal(plain: bytes, *, clinic_id: UUID, context: str) -> bytes:
    """Encrypt for one clinic. `context` (a table and column) is bound to the value: it can't be read back in another place.

    No statement while the clinic's keys are in memory, else one; three for the first value of a clinic.
    """
    keys = keys_to_write_with(clinic_id)
    assert keys.newest is not None  # noqa: S101  (just made if there was none)
    nonce = os.urandom(12)
    return header_of(keys.newest) + nonce + keys.data[keys.newest.bytes].encrypt(nonce, plain, context.encode())


def unseal(sealed: bytes | memoryview, *, context: str) -> bytes:
    """Decrypt what the scope may read. Raises Undecipherable, also for a value of another clinic. Statements as `seal`."""
    sealed = bytes(sealed)
    if sealed and sealed[0] == RING:
        return decrypt(sealed, context=context)
    if len(sealed) < SHORTEST or sealed[0] != CLINIC:
        raise Undecipherable("The value was encrypted under an unknown key.")
    key_id = sealed[1:HEADER]
    clinic_id = owner_of(key_id)
    if clinic_id is None:
        raise Undecipherable("The value was encrypted under an unknown key.")
    key = keys_of(clinic_id).data.get(key_id) or keys_of(clinic_id, anew=True).data.get(key_id)
    if key is None:
        raise Undecipherable("The value was encrypted under a key that this clinic doesn't have.")
    try:
        return key.decrypt(sealed[HEADER : HEADER + 12], sealed[HEADER + 12 :], context.encode())
    except InvalidTag as error:
        raise Undecipherable("The value does not belong here or was changed.") from error


def seal_text(plain: str, *, clinic_id: UUID, context: str) -> str:
    """Like `seal`, for a column of text."""
    return SEALED_TEXT + base64.b64encode(seal(plain.encode(), clinic_id=clinic_id, context=context)).decode()


def unseal_text(text: str, *, context: str) -> str:
    """What stands in a column of text, in clear, whether it is sealed or not. Raises Undecipherable. Statements as `seal`."""
    if not text.startswith(SEALED_TEXT):
        return text
    try:
        sealed = base64.b64decode(text[1:], validate=True)
    except binascii.Error as error:
        raise Undecipherable("The value is damaged.") from error
    return unseal(sealed, context=context).decode()


def header_of(key_id: UUID) -> bytes:
    """How every value under this key of a clinic begins."""
    return bytes([CLINIC]) + key_id.bytes


def search_key(clinic_id: UUID) -> bytes:
    """The key by which the clinic's patients are searched: tokens of two clinics can't be compared. Statements as `seal`."""
    return keys_of(clinic_id).search


def written_search_keys(clinic_id: UUID) -> tuple[bytes, ...]:
    """The keys under which a patient's tokens are written: one, two while a new search key takes over."""
    return keys_of(clinic_id).written


def known_search_keys(clinic_id: UUID) -> tuple[bytes, ...]:
    """All keys under which tokens of a record may stand at this moment."""
    keys = keys_of(clinic_id)
    return keys.written + keys.dropped
