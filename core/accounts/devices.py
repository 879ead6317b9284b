"""Which browsers somebody has signed in with: a signed cookie of the host knows it, the server keeps nothing."""

import hashlib
import hmac

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.models import User
from core.messaging.models import Channel, Kind
from core.messaging.services import post
from core.requests import HMSRequest
from core.security.limiting.callers import address_of

SALT = "hms.device"
MOST_PEOPLE = 40  # of one browser; whoever came longest ago is forgotten
SECONDS = 400 * 86_400  # as long as browsers keep any cookie


def tell_of_new_device(request: HMSRequest, user: User, response: HttpResponse, *, first_time: bool) -> None:
    """Remember that this person signs in with this browser; if they never did, tell them by e-mail. One statement, or none.

    `first_time`: they have never signed in at all, so there is nothing to compare with.
    """
    known, who = _known(request), _mark(user)
    if who not in known and not first_time:
        _post_notice(request, user)
    people = [who, *(one for one in known if one != who)][:MOST_PEOPLE]
    value = signing.dumps(people, salt=SALT, compress=True)
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(settings.HMS_DEVICE_COOKIE, value, max_age=SECONDS, httponly=True, samesite="Lax", secure=secure)


def _known(request: HMSRequest) -> list[str]:
    try:
        people: list[str] = signing.loads(request.COOKIES.get(settings.HMS_DEVICE_COOKIE, ""), salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return []
    return people


def _mark(user: User) -> str:
    """Says nothing of the person to whoever reads the cookie."""
    return hmac.new(f"device:{settings.SECRET_KEY}".encode(), user.pk.bytes, hashlib.sha256).hexdigest()[:20]


def _post_notice(request: HMSRequest, user: User) -> None:
    text = _(
        "Hello,\n\nsomebody signed in to your HMS account with a browser that was not used for it before:\n\n"
        "%(when)s UTC, from the address %(address)s\n\n"
        "If that was you, there is nothing to do. If not, change your password at once and tell your administrator."
    ) % {"when": f"{timezone.now():%Y-%m-%d %H:%M}", "address": address_of(request)}
    subject = _("A new device signed in to your HMS account")
    post(kind=Kind.NOTICE, to={Channel.EMAIL: user.email}, channels=[Channel.EMAIL], subject=subject, text=text)
