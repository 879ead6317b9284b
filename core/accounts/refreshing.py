"""A refresh token is good for one refresh: one that comes again later was copied, and its session ends."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts import tokens
from core.accounts.auth_sessions import PROGRAM_LIFE, AuthSession, Ended, end_session, mark_of
from core.accounts.models import User
from core.errors import NotAuthenticated
from core.messaging.models import Channel
from core.messaging.models import Kind as MessageKind
from core.messaging.services import post
from core.requests import HMSRequest
from core.security.limiting.callers import address_of
from core.security.recorder import Kind, record
from core.tenancy.context import person_scope, platform_scope

LOST_ANSWER = timedelta(seconds=10)  # so long the token before gets the same answer again: the first may not have arrived


class TokenReused(NotAuthenticated):
    """A refresh token whose successor is in use."""


def refreshed(
    request: HMSRequest, token: str, *, count: Callable[[UUID], None], clinic_of: Callable[[User], UUID | None]
) -> tuple[User, tokens.TokenPair]:
    """The person, and a new pair for the refresh token; the session lives on. Two statements and those of `clinic_of`.

    `count` counts the person and may raise RateLimited. Raises NotAuthenticated for what is expired, forged or over, and
    TokenReused for what was used before: then the session is ended, whatever becomes of the request.
    """
    claims, digest = tokens.claims_of(token, tokens.REFRESH), tokens.digest_of(token)
    session = None if claims.expired else _live(claims)
    if session is None:
        raise NotAuthenticated("The token is not valid or has expired.")
    if not _fits(session, digest):
        session_stolen(request, session)
        raise TokenReused("The token was used before. Sign in again.")
    count(session.user_id)
    return session.user, _successor(session, digest, clinic_of(session.user))


def session_stolen(request: HMSRequest, session: AuthSession) -> None:
    """Two hold the same refresh token: the session ends for both, and its person is told, once.

    The one place that learns of a theft. What it writes survives the refusal's rollback.
    """
    with platform_scope(reason="a refresh token was used twice"):
        if end_session(session.pk, user_id=session.user_id, why=Ended.REUSED):
            _post_notice(session, address_of(request))
    record(request, Kind.TOKEN_REUSED, person_id=session.user_id)


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _post_notice(session: AuthSession, address: str) -> None:
    text = _(
        "Hello,\n\na program that was signed in to your HMS account has been signed out, because its refresh token was used twice: "
        "somebody else may have a copy of it.\n\n"
        "The program: %(program)s, signed in at %(began)s UTC from the address %(origin)s\n"
        "The token came again at %(when)s UTC, from the address %(address)s\n\n"
        "If you know of two programs that share one sign-in, let each sign in for itself. If not, look where you are signed in "
        "(your menu, Sessions), change your password, and tell your administrator."
    ) % {
        "program": session.user_agent or _("unknown"),
        "began": f"{session.began:%Y-%m-%d %H:%M}",
        "origin": session.address or _("unknown"),
        "when": f"{timezone.now():%Y-%m-%d %H:%M}",
        "address": address,
    }
    subject = _("A session of your HMS account may have been stolen")
    to = {Channel.EMAIL: session.user.email}
    post(kind=MessageKind.NOTICE, to=to, channels=[Channel.EMAIL], subject=subject, text=text)


def _live(claims: tokens.Claims) -> AuthSession | None:
    """Not locked: whoever ends a stolen session does so on another connection."""
    with person_scope(claims.user_id, reason="refresh"):
        own = AuthSession.objects.select_related("user").filter(pk=claims.session_id, user_id=claims.user_id, user__is_active=True)
        session = own.live().first()
    return session if session and session.password_mark == mark_of(session.user) else None


def _fits(session: AuthSession, digest: str) -> bool:
    """The present token; or the one before, while its answer may have been lost."""
    if digest == session.refresh_digest:
        return True
    recent = session.rotated_at is not None and timezone.now() - session.rotated_at <= LOST_ANSWER
    return recent and digest == session.previous_digest


def _successor(session: AuthSession, digest: str, clinic_id: UUID | None) -> tokens.TokenPair:
    """The pair that follows. Who asks at the same moment, or again, gets the same refresh token: it follows from the old one."""
    if digest == session.refresh_digest:
        now = timezone.now()
        pair = tokens.pair_of(session, clinic_id=clinic_id, refresh_id=tokens.successor_id(session.pk, digest), at=now)
        with person_scope(session.user_id, reason="refresh"):
            ours = AuthSession.objects.filter(pk=session.pk, refresh_digest=digest, ended_at=None).update(
                refresh_digest=tokens.digest_of(pair.refresh),
                previous_digest=digest,
                rotated_at=now,
                last_seen=now,
                expires=now + PROGRAM_LIFE,
            )
            if ours:
                return pair
            session.refresh_from_db()  # somebody was faster by a moment
    at = session.rotated_at
    if at is not None and session.ended_at is None and session.previous_digest == digest:
        pair = tokens.pair_of(session, clinic_id=clinic_id, refresh_id=tokens.successor_id(session.pk, digest), at=at)
        if tokens.digest_of(pair.refresh) == session.refresh_digest:
            return pair
    raise NotAuthenticated("The token is not valid or has expired.")
