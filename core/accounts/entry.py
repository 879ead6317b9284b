"""The one place where a browser's session begins and ends, whatever the person proved themselves with."""

from django.contrib.auth import login, logout

from core.accounts.models import User
from core.requests import HMSRequest


def enter(request: HMSRequest, user: User, *, methods: tuple[str, ...] = ("pwd",)) -> None:
    """Let the person in: the browser gets a new session. `methods` are those of RFC 8176 (`pwd`, `otp`, `hwk`, `sms`)."""
    login(request, user, backend="core.accounts.backends.EmailBackend")


def leave(request: HMSRequest) -> None:
    """The browser's session ends."""
    logout(request)
