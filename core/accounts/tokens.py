"""API tokens: JWTs that name a session. What a token says is believed only while the session lives."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings

from core.accounts.auth_sessions import PROGRAM_LIFE, UNKNOWN, AuthSession, Kind, Origin, begin_session
from core.accounts.known import KnownSession, known_session
from core.accounts.models import User
from core.accounts.token_keys import ring_of, signing_key
from core.errors import NotAuthenticated
from core.tenancy.context import person_scope

ACCESS, REFRESH = "access", "refresh"
ALGORITHM = "HS256"
AUDIENCE = "hms-api"
LEEWAY = 30  # seconds that clocks may differ
KEPT = 2048  # tokens that are known to be ours; some kilobyte each
CLAIMS = ["iss", "aud", "sub", "sid", "clinic", "typ", "iat", "exp", "jti"]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ForgedToken(NotAuthenticated):
    """Nothing that HMS ever signed; an old token is no attack."""


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; whether it still counts is another question. `expires` in seconds since 1970."""

    user_id: UUID
    session_id: UUID
    clinic_id: UUID | None
    expires: int

    @property
    def expired(self) -> bool:
        return time.time() > self.expires + LEEWAY


def access_seconds() -> int:
    """How long an access token lives, from JWT_EXPIRES_IN (`15m`, `900s`, `1h`)."""
    return _seconds(settings.JWT_EXPIRES_IN)


@lru_cache(maxsize=8)
def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        raise ValueError("JWT_EXPIRES_IN is a number and a unit, such as 15m.")
    return int(match[1]) * _UNITS[match[2]]


def issue(
    user: User,
    *,
    clinic_id: UUID | None,
    methods: Sequence[str] = ("pwd",),
    origin: Origin = UNKNOWN,
) -> TokenPair:
    """Begin a program's session and make its first pair of tokens. Three statements.

    The clinic in them only informs: membership is looked up on every request.
    """
    session = begin_session(user=user, kind=Kind.PROGRAM, methods=methods, origin=origin)
    pair = pair_of(session, clinic_id=clinic_id, refresh_id=secrets.token_hex(16), at=session.began)
    with person_scope(user.pk, reason="sign-in"):
        AuthSession.objects.filter(pk=session.pk).update(refresh_digest=digest_of(pair.refresh))
    return pair


def pair_of(session: AuthSession, *, clinic_id: UUID | None, refresh_id: str, at: datetime) -> TokenPair:
    """Tokens of a session. The refresh token follows from the session, `refresh_id` and `at` alone, so it can be made again."""
    refresh_from = int(at.timestamp())
    refresh = _signed(session, REFRESH, "", refresh_id, refresh_from, int(PROGRAM_LIFE.total_seconds()))
    clinic = str(clinic_id) if clinic_id else ""
    access = _signed(session, ACCESS, clinic, secrets.token_hex(16), int(time.time()), access_seconds())
    return TokenPair(access, refresh, access_seconds())


def successor_id(session_id: UUID, digest: str) -> str:
    """The id of the refresh token that follows the one with this digest. Nobody without the key can say it."""
    _, secret = signing_key()
    return hmac.new(secret, f"refresh {session_id} {digest}".encode(), hashlib.sha256).hexdigest()[:32]


def digest_of(token: str) -> str:
    """What is kept of a refresh token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read(token: str) -> tuple[User, KnownSession, UUID | None]:
    """The person, the session and the clinic an access token names. No query, or one.

    Raises NotAuthenticated if it is expired, forged or its session over.
    """
    claims = claims_of(token, ACCESS)
    known = None if claims.expired else known_session(claims.session_id, claims.user_id)
    if known is None:
        raise NotAuthenticated("The token is not valid or has expired.")
    return *known, claims.clinic_id


def claims_of(token: str, kind: str) -> Claims:
    """What a token of ours says, expired or not. Raises ForgedToken."""
    try:
        return _verified(token, kind, settings.HMS_BASE_URL, tuple(settings.HMS_TOKEN_KEYS))
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise ForgedToken("The token is not valid or has expired.") from error


@lru_cache(maxsize=KEPT)
def _verified(token: str, kind: str, issuer: str, keys: tuple[str, ...]) -> Claims:
    """What we signed ourselves stays signed, so it is verified once. Raises what PyJWT and a strange body raise."""
    key = ring_of(keys)[jwt.get_unverified_header(token)["kid"]]
    said: Mapping[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=issuer,
        leeway=LEEWAY,
        options={"require": CLAIMS, "verify_exp": False, "strict_aud": True, "enforce_minimum_key_length": True},
    )
    if said["typ"] != kind:
        raise jwt.InvalidTokenError("A token of another kind.")
    clinic_id = UUID(str(said["clinic"])) if said["clinic"] else None
    return Claims(UUID(said["sub"]), UUID(str(said["sid"])), clinic_id, int(said["exp"]))


def _signed(session: AuthSession, kind: str, clinic: str, token_id: str, at: int, seconds: int) -> str:
    name, secret = signing_key()
    claims = {
        "iss": settings.HMS_BASE_URL,
        "aud": AUDIENCE,
        "sub": str(session.user_id),
        "sid": str(session.pk),
        "clinic": clinic,
        "typ": kind,
        "iat": at,
        "exp": at + seconds,
        "jti": token_id,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": name})
