"""Counting a request: the limiter is asked, the request remembers how its windows stand, and a refusal is an error."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.errors import RateLimited
from core.security.limiting.callers import account, code, kiosk, person, screen, stranger
from core.security.limiting.classes import RouteClass
from core.security.limiting.limiter import limiter
from core.security.limiting.verdicts import Demand, tightest

if TYPE_CHECKING:
    from core.requests import HMSRequest

MINUTES_FROM = 120  # seconds, from which on a person is told minutes


def count(request: "HMSRequest", demands: Sequence[Demand]) -> None:
    """Let the request in and count it for every demand, or raise RateLimited and count it for none."""
    standings = limiter.take(demands)
    request.counted.standings += standings
    refused = [one for one in standings if one.refused]
    if refused:
        raise too_many(max(one.seconds for one in refused))


def look(request: "HMSRequest", demands: Sequence[Demand]) -> None:
    """How a caller's windows stand who has not been counted, and is not: for the headers of an answer that tells of our trouble."""
    request.counted.standings += limiter.take(demands, hit=False)


def count_account(request: "HMSRequest", email: str) -> None:
    """One more try to sign in to this account by the API. Raises RateLimited."""
    count(request, account(email))


def count_code(request: "HMSRequest", email: str) -> None:
    """One more code that the API sends to whoever has this e-mail. Raises RateLimited."""
    count(request, code(request, email))


def count_refresh(request: "HMSRequest", user_id: UUID) -> None:
    """A pair of tokens that this person may have, counted as any request of theirs. Raises RateLimited."""
    if not request.counted.caller:
        request.counted.caller = True
        count(request, person(request, user_id, None, RouteClass.USUAL))


def count_screen(request: "HMSRequest", screen_id: UUID | None) -> None:
    """A request of a screen that stands in a waiting room, or (None) of somebody whose address names none. Raises RateLimited.

    Its route is FREE: nothing else counts it.
    """
    count(request, stranger(request, RouteClass.USUAL) if screen_id is None else screen(screen_id))


def count_at_kiosk(request: "HMSRequest", screen_id: UUID, what: str) -> None:
    """One more of what is limited at a kiosk: wrong tries, tickets. Raises RateLimited."""
    count(request, kiosk(screen_id, what))


def is_full_at_kiosk(request: "HMSRequest", screen_id: UUID, what: str) -> bool:
    """Is there no room for one more? Counts nothing."""
    return any(one.refused for one in limiter.take(kiosk(screen_id, what), hit=False))


def too_many(seconds: int) -> RateLimited:
    """The refusal, and when to come back."""
    if seconds < MINUTES_FROM:
        wait = ngettext("%(number)d second", "%(number)d seconds", seconds) % {"number": seconds}
    else:
        minutes = -(-seconds // 60)
        wait = ngettext("%(number)d minute", "%(number)d minutes", minutes) % {"number": minutes}
    return RateLimited(_("Too many requests in a short time. Try again in %(wait)s.") % {"wait": wait}, seconds)


def write_headers(request: "HMSRequest", response: HttpResponse) -> None:
    """How the tightest window stands: what is allowed, what is left, and in how many seconds there is one more."""
    if not request.counted.standings:
        return
    standing = tightest(request.counted.standings)
    response["X-RateLimit-Limit"] = str(standing.limit)
    response["X-RateLimit-Remaining"] = str(standing.remaining)
    response["X-RateLimit-Reset"] = str(standing.seconds)
