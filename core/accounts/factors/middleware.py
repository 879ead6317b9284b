"""Who has a role that demands a second factor and has none is led to set one up, before anything else."""

from collections.abc import Callable

from django.http import HttpResponse
from django.utils.translation import gettext as _

from core.accounts.factors.known import demanded_by, has_second_factor
from core.errors import Detail, NotAllowed
from core.requests import HMSRequest
from core.responses import error_response, go, is_api

WHERE = "/account/security/"
STILL_OPEN = ("/account/", "/sign-in/", "/sign-out/", "/switch-clinic/", "/choose-clinic/")


class SecondFactorMiddleware:
    """Behind the clinic: pages send to the Security page, the API answers 403 `second_factor_required`. No query, or one."""

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if not self._demanded(request) or has_second_factor(request.user.pk):
            return self.get_response(request)
        if not is_api(request):
            return self.get_response(request) if request.path.startswith(STILL_OPEN) else go(request, WHERE)
        if "/auth/" in request.path:
            return self.get_response(request)
        message = _("Your role signs in with a second factor. Set one up on the page Security of your account.")
        return error_response(request, NotAllowed(message, [Detail("", "second_factor_required", message)]))

    def _demanded(self, request: HMSRequest) -> bool:
        person_asks = request.auth_method in ("session", "token")
        return person_asks and demanded_by(one for one in request.memberships if one.clinic == request.clinic)
