"""Codes of authenticator apps: RFC 6238 with what every app understands (SHA-1, six digits, thirty seconds)."""

import base64
import hmac
import secrets
import time
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1 as HMAC_HASH
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

DIGITS, STEP = 6, 30  # seconds
EITHER_SIDE = 1  # steps that a clock may be wrong


def new_key() -> str:
    """160 random bits, in the base32 that apps take."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(key: str, counter: int) -> str:
    """The code of one time step."""
    return HOTP(base64.b32decode(key), DIGITS, HMAC_HASH()).generate(counter).decode()  # noqa: S303 (in HMAC, as RFC 6238 has it)


def counter_of(key: str, code: str, *, after: int = 0) -> int | None:
    """The time step whose code this is, if it is about now and later than `after`; else None. As long for a wrong code."""
    now, found = int(time.time()) // STEP, None
    for counter in range(now - EITHER_SIDE, now + EITHER_SIDE + 1):
        if hmac.compare_digest(code_at(key, counter).encode(), code.encode()) and counter > after:
            found = counter
    return found


def address(key: str, *, account: str, issuer: str) -> str:
    """What the QR code says."""
    asked = urlencode({"secret": key, "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{issuer}:{account}')}?{asked}"


def qr_path(text: str) -> tuple[int, str]:
    """The side of the QR code in modules, with its quiet zone, and the path of an SVG that draws the dark ones."""
    import qrcode  # late: it brings Pillow along
    from qrcode.constants import ERROR_CORRECT_M

    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4)
    code.add_data(text)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return len(rows), path
