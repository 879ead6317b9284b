"""Encrypts a stream of any length piece by piece, so that memory stays small and nothing can be changed, reordered or cut off.

A backup has a key of its own, wrapped under HMS_BACKUP_KEYS (else HMS_ENCRYPTION_KEYS). Each piece is encrypted with AES-256-GCM;
its nonce is its number and whether it is the last one, and the header is bound to all.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from core.backup.errors import Damaged, WrongKey
from core.security.crypto import Undecipherable, decrypt, encrypt

MAGIC = b"HMS backup 1\n"
CONTEXT = "backup"
WRAPPED = 62  # bytes of a wrapped key: 2 that name the ring's key, nonce, 32 of key, tag
HEADER = len(MAGIC) + WRAPPED
PIECE = 1024 * 1024  # bytes in clear
TAG = 16


def sealed(pieces: Iterable[bytes], *, ring: Sequence[str] = ()) -> Iterator[bytes]:
    """The header, then what the pieces hold, encrypted. Holds two pieces in memory. Raises Undecipherable without any key.

    `ring`: other keys than the installation's, written like HMS_BACKUP_KEYS.
    """
    key = secrets.token_bytes(32)
    header = MAGIC + encrypt(key, context=CONTEXT, ring=ring or settings.HMS_BACKUP_KEYS)
    yield header
    cipher, number, source = AESGCM(key), 0, _Bytes(pieces)
    held = source.take(PIECE)
    while following := source.take(PIECE):
        yield cipher.encrypt(_nonce(number, last=False), held, header)
        held, number = following, number + 1
    yield cipher.encrypt(_nonce(number, last=True), held, header)


def opened(pieces: Iterable[bytes], *, ring: Sequence[str] = ()) -> Iterator[bytes]:
    """What was given to `sealed`, under the installation's keys or that ring. Raises WrongKey; Damaged, also at the end of a file
    that was cut off.

    Each piece that comes out is as it was written; whether all came is only known at the end.
    """
    source = _Bytes(pieces)
    header = source.take(HEADER)
    cipher, number = AESGCM(_unwrapped(header, ring)), 0
    held = source.take(PIECE + TAG)
    while following := source.take(PIECE + TAG):
        yield _open(cipher, number, held, header, last=False)
        held, number = following, number + 1
    yield _open(cipher, number, held, header, last=True)


def _open(cipher: AESGCM, number: int, piece: bytes, header: bytes, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last=last), piece, header)
    except InvalidTag as error:
        place = HEADER + number * (PIECE + TAG)
        words = (
            f"The backup ends too early or is damaged after {place} bytes."
            if last
            else f"The backup is damaged after {place} bytes."
        )
        raise Damaged(words) from error


def _unwrapped(header: bytes, ring: Sequence[str]) -> bytes:
    if len(header) < HEADER or not header.startswith(MAGIC):
        raise Damaged("This is no backup of HMS, or its beginning is damaged.")
    wrapped = header[len(MAGIC) :]
    try:
        return decrypt(wrapped, context=CONTEXT, ring=ring or settings.HMS_BACKUP_KEYS)
    except Undecipherable as error:
        if ring:
            raise WrongKey(
                "This key does not open the file: it was made under another one, or its beginning is damaged."
            ) from error
        variable = "HMS_BACKUP_KEYS" if settings.HMS_BACKUP_KEYS else "HMS_ENCRYPTION_KEYS"
        words = f"No key of {variable} opens this backup: it was made under another key {wrapped[1]}, or its beginning is damaged."
        raise WrongKey(words) from error


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])


class _Bytes:
    """Takes so many bytes at a time from pieces of any size."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = bytearray()

    def take(self, size: int) -> bytes:
        """That many; fewer at the end, none after it."""
        while len(self._held) < size and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
