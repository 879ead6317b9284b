"""The sign-in page as it is shown, whatever way in was tried."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from core.accounts.factors import passkeys
from core.errors import DomainError, RateLimited
from core.messaging.channels import configured
from core.messaging.models import Channel
from core.pages.access import safe_next
from core.pages.demo import demo_sign_ins
from core.pages.forms import SignInForm
from core.requests import HMSRequest
from core.responses import come_back


def sign_in_page(request: HMSRequest, *, form: SignInForm | None = None, refused: DomainError | None = None) -> HttpResponse:
    """`refused` is why the last try did not let anybody in."""
    status = 200 if request.method == "GET" else 429 if isinstance(refused, RateLimited) else 422
    context = {
        "form": form or SignInForm(),
        "refused": refused,
        "paused": refused is not None and refused.retry_after > 0,
        "next": safe_next(request),
        "passkeys": passkeys.available(),
        "letters": Channel.EMAIL in configured(),
        "demo_sign_ins": demo_sign_ins(),
        "demo_password": settings.HMS_DEMO_PASSWORD if settings.HMS_DEMO else "",
    }
    response = render(request, "core/sign_in.html", context, status=status)
    come_back(response, refused.retry_after if refused else 0)
    return response
