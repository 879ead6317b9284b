"""How often the forms may be sent with which people sign in and look for patients: django-ratelimit.

The limiter bounds what anybody asks of HMS; this bounds what one form is used for. It counts in fixed windows (up to twice the
limit around their border), in counters that all processes share. What it counts the limiter doesn't count for the same again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django_ratelimit.core import get_usage

from core.accounts.models import User, normalise_email
from core.accounts.sign_in import SignInRefused
from core.errors import RateLimited
from core.requests import HMSRequest
from core.responses import error_response
from core.security.limiting.callers import address_of, configured, letters_of_an_address, page_tries
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.counting import too_many
from core.security.limiting.rates import MICROSECONDS, Rate

View = Callable[..., HttpResponse]


@contextmanager
def sign_in_try(request: HMSRequest, email: str) -> Iterator[Callable[[], None]]:
    """One try at the sign-in page: a wrong one counts for the address, and each for the account when what is given is called.

    Raises RateLimited, as that does. The address is looked at first: one that is refused uses up no account's tries. Right ones
    don't count for it, and no more do those of an account that has to wait: forty people who come to work share an address.
    """
    rate, address = page_tries(), address_of(request)
    _count(request, "sign-in address", address, rate, full=True)
    try:
        yield lambda: _count(request, "sign-in account", normalise_email(email), rate)
    except SignInRefused as error:
        if not error.retry_after:
            _count(request, "sign-in address", address, rate)
        raise


def count_letter(request: HMSRequest, email: str) -> None:
    """A page is about to send a letter to whoever has an e-mail that somebody names: counted for the address and for the account,
    whether there is one or not. Raises RateLimited.
    """
    _count(request, "letters of an address", address_of(request), letters_of_an_address())
    _count(request, "letters to an account", normalise_email(email), configured("HMS_RATE_LETTERS"))


def count_own_letter(request: HMSRequest, user: User) -> None:
    """A page is about to send a code to somebody who has given their password: counted for the person alone, so that nobody else
    uses up theirs. Raises RateLimited.
    """
    _count(request, "letters to a person", str(user.pk), configured("HMS_RATE_LETTERS"))


def count_search(request: HMSRequest) -> None:
    """A page is about to look for patients. Searches of one person count together, whatever the page; a request counts once.

    Raises RateLimited. Two statements without Redis, one round trip or two with it.
    """
    if not request.counted.search:
        request.counted.search = True
        _count(request, "search", str(request.person_id), configured("HMS_RATE_SEARCH"))


def search_page(view: View) -> View:
    """A page's decorator, the outermost: patients are looked for here. Each time it is sent counts as a search."""

    @wraps(view)
    def counted(request: HMSRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and request.person_id is not None:  # strangers are sent to sign in
            try:
                count_search(request)
            except RateLimited as error:
                return error_response(request, error)
        return view(request, *args, **kwargs)

    return route_class(RouteClass.SEARCH_PAGE)(counted)


def _count(request: HMSRequest, group: str, who: str, rate: Rate, *, full: bool = False) -> None:
    """Count one more, or with `full` only look whether there is room for one. Raises RateLimited when there is none."""
    for window in rate:
        usage = get_usage(
            request, group=group, key=lambda _group, _request: who, rate=(window.limit, window.span // MICROSECONDS),
            increment=not full,
        )  # fmt: skip
        if usage is not None and usage["count"] + full > usage["limit"]:
            raise too_many(max(1, usage["time_left"]))
