"""What a session remembers of how somebody is proving themselves: who has given the password, and when it was last proved."""

import time
from typing import Any
from uuid import UUID

from django.utils.crypto import constant_time_compare

from core.accounts.auth_sessions import mark_of
from core.accounts.models import User, user_by_id
from core.requests import HMSRequest

PENDING, PROVED, ASKED = "second_step", "proved_at", "passkey_asked"
PENDING_SECONDS = 10 * 60  # between the password and the second step
PROVED_SECONDS = 15 * 60  # after which changes of one's own account ask for the password again


def begin_second_step(request: HMSRequest, user: User, target: str) -> None:
    """The password was right; `target` is where to go once the second step is taken."""
    request.session[PENDING] = {"user": str(user.pk), "mark": mark_of(user), "at": int(time.time()), "next": target}


def pending_user(request: HMSRequest) -> User | None:
    """Who has given the password and not yet more; None when that is too long ago, or the password has changed since. One query."""
    pending = request.session.get(PENDING)
    if not pending or time.time() > pending["at"] + PENDING_SECONDS:
        return None
    user = user_by_id(UUID(pending["user"]))
    if user is None or not constant_time_compare(mark_of(user), pending["mark"]):
        return None
    return user


def pending_target(request: HMSRequest) -> str:
    return str(request.session.get(PENDING, {}).get("next", "/"))


def end_second_step(request: HMSRequest) -> None:
    request.session.pop(PENDING, None)
    request.session.pop(ASKED, None)


def note_proved(request: HMSRequest) -> None:
    """The person has just proved who they are."""
    request.session[PROVED] = int(time.time())


def recently_proved(request: HMSRequest) -> bool:
    return time.time() < int(request.session.get(PROVED, 0)) + PROVED_SECONDS


def keep_asked(request: HMSRequest, state: dict[str, Any]) -> None:
    """What the browser was asked to prove with a passkey."""
    request.session[ASKED] = state


def take_asked(request: HMSRequest) -> dict[str, Any] | None:
    """It is good for one answer."""
    state: dict[str, Any] | None = request.session.pop(ASKED, None)
    return state
