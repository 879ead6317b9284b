"""The one way in with e-mail and password, for the page and the API alike."""

from collections.abc import Callable

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _

from core.accounts import throttle
from core.accounts.models import User
from core.errors import NotAuthenticated
from core.requests import HMSRequest
from core.responses import is_api
from core.security.limiting.callers import address_of
from core.security.recorder import Kind, record, signed_in


class SignInRefused(NotAuthenticated):
    """Wrong e-mail or password, or too many tries. `retry_after` is 0 if one may try again at once."""


def check_credentials(request: HMSRequest, *, email: str, password: str, count: Callable[[], None]) -> User:
    """Return the user. Raises SignInRefused, the same for an unknown account, a wrong password and a closed account.

    `count` counts the try for the account and may raise RateLimited. Who has to wait anyway uses up nobody's tries.
    """

    def proved() -> User | None:
        user = authenticate(request, email=email, password=password)
        return user if isinstance(user, User) else None

    return one_try(request, who=email, count=count, check=proved, wrong=_("E-mail or password is wrong."))


def one_try[Proved](
    request: HMSRequest, *, who: str, count: Callable[[], None], check: Callable[[], Proved | None], wrong: str
) -> Proved:
    """What `check` proves of `who`, an account or a step of it. Raises SignInRefused when that has to wait, or proves nothing."""
    # A machine that tries wrong passwords locks no page for the people behind the same address.
    address = f"{'api' if is_api(request) else 'page'} {address_of(request)}"
    if seconds := throttle.seconds_locked(who, address):
        record(request, Kind.SIGN_IN_LOCKED)
        raise _refused(_("Too many tries. Wait %(seconds)d seconds, then try again.") % {"seconds": seconds}, seconds)
    count()
    proved = check()
    if proved is None:
        throttle.note_failure(who, address)
        record(request, Kind.SIGN_IN_FAILED)
        raise _refused(wrong, 0)
    throttle.note_success(who, address)
    signed_in(request)
    return proved


def _refused(message: str, seconds: int) -> SignInRefused:
    error = SignInRefused(message)
    error.retry_after = seconds
    return error
