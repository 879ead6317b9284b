"""The one place where a browser's session begins and ends, whatever the person proved themselves with."""

from uuid import UUID

from django.contrib.auth import SESSION_KEY, login, logout, update_session_auth_hash

from core.accounts.auth_sessions import Ended, Kind, begin_session, end_session, end_sessions, origin_of
from core.accounts.known import AUTH_SESSION
from core.accounts.models import User
from core.requests import HMSRequest


def enter(request: HMSRequest, user: User, *, methods: tuple[str, ...] = ("pwd",)) -> None:
    """Let the person in: the browser gets a new session. `methods` are those of RFC 8176 (`pwd`, `otp`, `hwk`, `sms`)."""
    _end_present(request, Ended.REPLACED)
    login(request, user, backend="core.accounts.backends.EmailBackend")
    session = begin_session(user=user, kind=Kind.BROWSER, methods=methods, origin=origin_of(request))
    request.session[AUTH_SESSION] = str(session.pk)
    request.session.set_expiry(session.expires)


def leave(request: HMSRequest) -> None:
    """The browser's session ends."""
    _end_present(request, Ended.SIGNED_OUT)
    logout(request)


def stay(request: HMSRequest, user: User) -> None:
    """The person has given themselves a new password, and it is saved: this browser goes on, all else of theirs ends."""
    present = _present(request)
    end_sessions(user, why=Ended.PASSWORD, except_=present[0] if present else None)
    update_session_auth_hash(request, user)


def _end_present(request: HMSRequest, why: Ended) -> None:
    if present := _present(request):
        session_id, user_id = present
        end_session(session_id, user_id=user_id, why=why)


def _present(request: HMSRequest) -> tuple[UUID, UUID] | None:
    """The session that this browser has, and whose it is. Both were written by us."""
    if AUTH_SESSION not in request.session or SESSION_KEY not in request.session:
        return None
    return UUID(request.session[AUTH_SESSION]), UUID(request.session[SESSION_KEY])
