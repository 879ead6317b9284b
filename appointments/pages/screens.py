"""How a board's or kiosk's address opens: it names a clinic and a screen, and is counted by screen."""

from collections.abc import Callable
from functools import wraps

from django.db import transaction
from django.http import HttpResponse

from appointments.choices import ScreenKind
from appointments.errors import ScreenGone
from appointments.selectors.screens import Named, clinic_of, screen_of
from core.errors import DomainError
from core.requests import HMSRequest
from core.responses import error_response
from core.security.limiting.counting import count_screen
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic

ScreenView = Callable[[HMSRequest, Clinic, Named], HttpResponse]


def of_screen(kind: ScreenKind) -> Callable[[ScreenView], Callable[..., HttpResponse]]:
    """The view runs in the scope of the clinic that the address names, whoever is signed in. One query before it."""

    def decorate(view: ScreenView) -> Callable[..., HttpResponse]:
        @wraps(view)
        def opened(request: HMSRequest, token: str) -> HttpResponse:
            try:
                named = _named(request, kind, token)
                clinic = clinic_of(named)
                with narrowed(clinic_id=clinic.pk):
                    response = view(request, clinic, named)
            except DomainError as error:
                response = error_response(request, error)
                transaction.set_rollback(True)
            response["X-Robots-Tag"] = "noindex, nofollow"
            return response

        return opened

    return decorate


def _named(request: HMSRequest, kind: ScreenKind, token: str) -> Named:
    """Counted either way: for the screen, or for the address of whoever has made a token up."""
    try:
        named = screen_of(kind, token)
    except ScreenGone:
        count_screen(request, None)
        raise
    count_screen(request, named.screen_id)
    return named
