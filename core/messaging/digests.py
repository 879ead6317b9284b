"""Keyed digests of addresses: to look up, not to read."""

import hashlib
import hmac
from uuid import UUID

from django.conf import settings


def digest_of(address: str) -> str:
    """Under which digest messages to this address are found; addresses can't be read back from it."""
    secret = f"messages:{settings.SECRET_KEY}".encode()
    return hmac.new(secret, address.strip().casefold().encode(), hashlib.sha256).hexdigest()


def clinic_digest(clinic_id: UUID, address: str) -> str:
    """The same for one clinic's own list: two clinics' can't be compared."""
    return digest_of(f"{clinic_id} {address.strip()}")
