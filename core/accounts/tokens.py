"""API tokens: signed, short-lived, tied to the person's password (changing it ends them all)."""

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare

from core.accounts.known import known_user
from core.accounts.models import User
from core.errors import NotAuthenticated

ACCESS, REFRESH = "hms.access", "hms.refresh"
REFRESH_SECONDS = 30 * 24 * 3600
MARK_LENGTH = 16
KEPT = 2048  # tokens that are known to be ours; some 500 bytes each
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ForgedToken(NotAuthenticated):
    """Nothing that HMS ever signed; an old token is no attack."""


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int


def access_seconds() -> int:
    """How long an access token lives, from JWT_EXPIRES_IN (`15m`, `900s`, `1h`)."""
    return _seconds(settings.JWT_EXPIRES_IN)


@lru_cache(maxsize=8)
def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        raise ValueError("JWT_EXPIRES_IN is a number and a unit, such as 15m.")
    return int(match[1]) * _UNITS[match[2]]


def issue(user: User, *, clinic_id: UUID | None) -> TokenPair:
    """Make a pair of tokens. The clinic in them only informs: membership is looked up on every request."""
    claims = {"sub": str(user.pk), "clinic": str(clinic_id) if clinic_id else "", "key": _password_mark(user)}
    return TokenPair(signing.dumps(claims, salt=ACCESS), signing.dumps(claims, salt=REFRESH), access_seconds())


def read(token: str, *, kind: str = ACCESS) -> tuple[User, UUID | None]:
    """The person and the clinic a token names. Raises NotAuthenticated if it is expired, forged or revoked. No query, or one."""
    try:
        claims = _signed(token, kind, settings.SECRET_KEY)
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise ForgedToken("The token is not valid or has expired.") from error
    known = known_user(claims.user_id)
    expired = time.time() > claims.signed_at + (access_seconds() if kind == ACCESS else REFRESH_SECONDS)
    if expired or known is None or not constant_time_compare(claims.password_mark, known[1][:MARK_LENGTH]):
        raise NotAuthenticated("The token is not valid or has expired.")
    return known[0], claims.clinic_id


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a token says; whether it still counts is another question."""

    user_id: UUID
    clinic_id: UUID | None
    password_mark: str
    signed_at: int


@lru_cache(maxsize=KEPT)
def _signed(token: str, kind: str, secret: str) -> _Claims:
    """What we signed ourselves stays signed, so it is verified once. Raises BadSignature and what a strange body raises."""
    said = signing.loads(token, key=secret, salt=kind)
    signed_at = signing.b62_decode(token.split(":")[1])
    clinic_id = UUID(said["clinic"]) if said["clinic"] else None
    return _Claims(UUID(said["sub"]), clinic_id, said["key"], signed_at)


def _password_mark(user: User) -> str:
    return user.get_session_auth_hash()[:MARK_LENGTH]
