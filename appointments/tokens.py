"""The signed part of a link that a patient is sent: it names the clinic and a reminder, and nothing that could be guessed."""

import base64
from uuid import UUID

from django.core import signing

SALT = "appointments.visit-link"


def token_of(clinic_id: UUID, reminder_id: UUID) -> str:
    """87 characters of a URL. Whoever has it may answer in the patient's place, until the visit begins."""
    named = base64.urlsafe_b64encode(clinic_id.bytes + reminder_id.bytes).decode().rstrip("=")
    return signing.Signer(salt=SALT).sign(named)


def named_by(token: str) -> tuple[UUID, UUID]:
    """The clinic and the reminder. Raises ValueError for a token that HMS did not make."""
    try:
        named = base64.urlsafe_b64decode(signing.Signer(salt=SALT).unsign(token) + "=")
    except signing.BadSignature as error:
        raise ValueError("The token was not signed by us.") from error
    return UUID(bytes=named[:16]), UUID(bytes=named[16:])
