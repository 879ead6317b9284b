"""The signed parts of addresses that open without signing in: they name a clinic and one row, and nothing that could be guessed."""

import base64
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from appointments.choices import ScreenKind

SALT = "appointments.visit-link"
SCREEN_SALTS = {ScreenKind.BOARD: "appointments.board", ScreenKind.KIOSK: "appointments.kiosk"}
CODE_SALT, CODE_DIGITS = "appointments.visit-code", 8


def token_of(clinic_id: UUID, reminder_id: UUID) -> str:
    """87 characters of a URL. Whoever has it may answer in the patient's place, until the visit begins."""
    return _signed(clinic_id, reminder_id, SALT)


def named_by(token: str) -> tuple[UUID, UUID]:
    """The clinic and the reminder. Raises ValueError for a token that HMS did not make."""
    return _named(token, SALT)


def screen_token(kind: ScreenKind, clinic_id: UUID, screen_id: UUID) -> str:
    """As long. A board's is good for no kiosk."""
    return _signed(clinic_id, screen_id, SCREEN_SALTS[kind])


def screen_named_by(kind: ScreenKind, token: str) -> tuple[UUID, UUID]:
    """The clinic and the screen. Raises ValueError."""
    return _named(token, SCREEN_SALTS[kind])


def visit_code(appointment_id: UUID) -> str:
    """Eight digits by which a patient checks in at a kiosk. They follow from the visit's id and the installation's secret."""
    digest = salted_hmac(CODE_SALT, appointment_id.bytes, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return f"{int.from_bytes(digest[:8]) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def _signed(clinic_id: UUID, row_id: UUID, salt: str) -> str:
    named = base64.urlsafe_b64encode(clinic_id.bytes + row_id.bytes).decode().rstrip("=")
    return signing.Signer(salt=salt).sign(named)


def _named(token: str, salt: str) -> tuple[UUID, UUID]:
    try:
        named = base64.urlsafe_b64decode(signing.Signer(salt=salt).unsign(token) + "=")
    except signing.BadSignature as error:
        raise ValueError("The token was not signed by us.") from error
    return UUID(bytes=named[:16]), UUID(bytes=named[16:])
