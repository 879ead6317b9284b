"""API tokens: signed, short-lived, tied to the person's password (changing it ends them all)."""

import re
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing

from core.accounts.models import User, user_by_id
from core.errors import NotAuthenticated

ACCESS, REFRESH = "hms.access", "hms.refresh"
REFRESH_SECONDS = 30 * 24 * 3600
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int


def access_seconds() -> int:
    """How long an access token lives, from JWT_EXPIRES_IN (`15m`, `900s`, `1h`)."""
    match = re.fullmatch(r"(\d+)([smhd])", settings.JWT_EXPIRES_IN)
    if not match:
        raise ValueError("JWT_EXPIRES_IN is a number and a unit, such as 15m.")
    return int(match[1]) * _UNITS[match[2]]


def issue(user: User, *, clinic_id: UUID | None) -> TokenPair:
    """Make a pair of tokens. The clinic in them only informs: membership is looked up on every request."""
    claims = {"sub": str(user.pk), "clinic": str(clinic_id) if clinic_id else "", "key": _password_mark(user)}
    return TokenPair(signing.dumps(claims, salt=ACCESS), signing.dumps(claims, salt=REFRESH), access_seconds())


def read(token: str, *, kind: str = ACCESS) -> tuple[User, UUID | None]:
    """The person and the clinic a token names. Raises NotAuthenticated if it is expired, forged or revoked. One query."""
    try:
        claims = signing.loads(token, salt=kind, max_age=access_seconds() if kind == ACCESS else REFRESH_SECONDS)
        user = user_by_id(UUID(claims["sub"]))
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise NotAuthenticated("The token is not valid or has expired.") from error
    if user is None or claims["key"] != _password_mark(user):
        raise NotAuthenticated("The token is not valid or has expired.")
    return user, UUID(claims["clinic"]) if claims["clinic"] else None


def _password_mark(user: User) -> str:
    return user.get_session_auth_hash()[:16]
