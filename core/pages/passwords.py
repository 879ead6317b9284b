"""A new password: by e-mail, without saying who has an account, and by whoever is signed in."""

from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from core.accounts.entry import stay
from core.accounts.factors.services import tell_change
from core.accounts.models import User, normalise_email, user_by_id
from core.accounts.proofs import note_proved
from core.accounts.services import change_own_password, reset_own_password
from core.accounts.sign_in import SignInRefused, check_credentials
from core.errors import DomainError, RateLimited
from core.forms import show_problems
from core.messaging.models import Channel, Kind
from core.messaging.services import post
from core.pages.access import signed_in
from core.pages.forms import ForgottenForm, NewPasswordForm, OwnPasswordForm
from core.requests import HMSRequest
from core.responses import HttpResponseSeeOther, come_back
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.forms import count_letter, sign_in_try

_tokens = PasswordResetTokenGenerator()


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def forgotten(request: HMSRequest) -> HttpResponse:
    """Asks for the e-mail; the answer is the same for everybody."""
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        return render(request, "core/forgotten.html", {"form": form}, status=200 if request.method == "GET" else 422)
    try:
        count_letter(request, form.cleaned_data["email"])
    except RateLimited as error:
        response = render(request, "core/forgotten.html", {"form": form, "refused": error}, status=error.status)
        come_back(response, error.retry_after)
        return response
    _send_link(form.cleaned_data["email"])
    return render(request, "core/forgotten.html", {"sent_to": form.cleaned_data["email"]})


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def new_password(request: HMSRequest) -> HttpResponse:
    """Behind the link. The token stands in the query string, which no log of ours holds, and is good once, for an hour."""
    token = request.POST.get("token") or request.GET.get("token", "")
    user = _user_of(token)
    if user is None:
        return render(request, "core/new_password.html", {"dead": True}, status=200 if request.method == "GET" else 422)
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            reset_own_password(user=user, password=form.cleaned_data["password"])
        except DomainError as error:
            show_problems(form, error)
        else:
            tell_change(user, _("The password was changed by a link sent to this address."))
            messages.success(request, _("Your password was changed. Sign in with the new one."))
            return HttpResponseSeeOther(reverse("pages:sign-in"))
    context = {"form": form, "token": token, "email": user.email}
    return render(request, "core/new_password.html", context, status=200 if request.method == "GET" else 422)


@signed_in
@require_http_methods(["GET", "POST"])
def own_password(request: HMSRequest) -> HttpResponse:
    """The present password, then a new one: this browser stays signed in, everything else of the person's is signed out."""
    form = OwnPasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        return render(request, "core/own_password.html", {"form": form}, status=200 if request.method == "GET" else 422)
    given, email, status, wait = form.cleaned_data, request.user.email, 422, 0
    try:
        with sign_in_try(request, email) as count:
            user = check_credentials(request, email=email, password=given["current"], count=count)
        change_own_password(user=user, password=given["password"])
    except (SignInRefused, RateLimited) as error:
        locked = isinstance(error, RateLimited) or error.retry_after
        form.add_error("current", str(error.message) if locked else _("This is not your present password."))
        status, wait = error.status if isinstance(error, RateLimited) else 422, error.retry_after
    except DomainError as error:
        show_problems(form, error)
    else:
        return _password_changed(request, user)
    response = render(request, "core/own_password.html", {"form": form}, status=status)
    come_back(response, wait)
    return response


def _password_changed(request: HMSRequest, user: User) -> HttpResponse:
    stay(request, user)
    note_proved(request)
    tell_change(user, _("The password was changed on your account's page."))
    messages.success(request, _("Your password is changed. You are signed out everywhere else."))
    return HttpResponseSeeOther(reverse("pages:security"))


def _send_link(email: str) -> None:
    """Post it, or do the same work for nobody. Two statements."""
    user = User.objects.filter(email=normalise_email(email), is_active=True).first()
    whose = user or User(pk=uuid4(), email=email, password=get_random_string(90))
    token = f"{whose.pk.hex}-{_tokens.make_token(whose)}"
    link = f"{settings.HMS_BASE_URL}{reverse('pages:new-password')}?{urlencode({'token': token})}"
    text = _(
        "Somebody, probably you, wants a new password for your HMS account. Choose one here within an hour:\n\n%(link)s\n\n"
        "If it was not you, there is nothing to do: your password stays as it is."
    ) % {"link": link}
    expires_at = timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    to = {Channel.EMAIL: user.email} if user else {}
    subject = _("A new password for HMS")
    post(kind=Kind.NEW_PASSWORD, to=to, channels=[Channel.EMAIL], subject=subject, text=text, expires_at=expires_at)


def _user_of(token: str) -> User | None:
    """Whose token this is, if it is still good. One query, or none."""
    person, _dash, rest = token.partition("-")
    try:
        user = user_by_id(UUID(hex=person))
    except ValueError:
        return None
    return user if user is not None and _tokens.check_token(user, rest) else None
