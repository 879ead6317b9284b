"""How a delivery proves that it is HMS's, and fresh."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

HEADER = "HMS-Signature"


def new_secret() -> str:
    """256 random bits, in a form that scanners of source code can find."""
    return f"whsec_{secrets.token_hex(32)}"


def signature(keys: Iterable[str], moment: int, body: bytes) -> str:
    """The header's value: the Unix time of sending, and for each live secret the HMAC-SHA256 of `time.body` in hexadecimal."""
    signed = str(moment).encode() + b"." + body
    marks = (hmac.new(key.encode(), signed, hashlib.sha256).hexdigest() for key in keys)
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])
