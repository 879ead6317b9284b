"""The one way in with e-mail and password, for the page and the API alike."""

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _

from core.accounts import throttle
from core.accounts.models import User
from core.errors import NotAuthenticated
from core.requests import HMSRequest


class SignInRefused(NotAuthenticated):
    """Wrong e-mail or password, or too many tries. `seconds` is how long to wait, 0 if one may try again at once."""

    seconds = 0


def check_credentials(request: HMSRequest, *, email: str, password: str) -> User:
    """Return the user. Raises SignInRefused, the same for an unknown account, a wrong password and a closed account."""
    address = request.META.get("REMOTE_ADDR", "")
    if seconds := throttle.seconds_locked(email, address):
        raise _refused(_("Too many tries. Wait %(seconds)d seconds, then try again.") % {"seconds": seconds}, seconds)
    user = authenticate(request, email=email, password=password)
    if not isinstance(user, User):
        throttle.note_failure(email, address)
        raise _refused(_("E-mail or password is wrong."), 0)
    throttle.note_success(email)
    return user


def _refused(message: str, seconds: int) -> SignInRefused:
    error = SignInRefused(message)
    error.seconds = seconds
    return error
