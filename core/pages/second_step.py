"""Signing in beyond the password: the second step, passkeys alone."""

from collections.abc import Callable
from contextlib import suppress

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.accounts.devices import tell_of_new_device
from core.accounts.entry import enter
from core.accounts.factors import passkeys
from core.accounts.factors.known import Kind, factors_of
from core.accounts.factors.sign_in import Proof, check_code, check_passkey, counted_as, send_second_step
from core.accounts.models import User, user_by_id
from core.accounts.proofs import (
    begin_second_step,
    end_second_step,
    keep_asked,
    note_proved,
    pending_target,
    pending_user,
    take_asked,
)
from core.accounts.sign_in import SignInRefused
from core.errors import DomainError, RateLimited
from core.pages.access import safe_next
from core.pages.forms import SecondStepForm
from core.pages.sign_in_page import sign_in_page
from core.requests import HMSRequest
from core.responses import HttpResponseSeeOther, come_back
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.forms import count_own_letter, sign_in_try


def after_password(request: HMSRequest, user: User, target: str) -> HttpResponse:
    """The password was right: in, or to the second step, with a code on its way if they have nothing else. Up to six queries."""
    kinds = {one.kind for one in factors_of(user)} - {Kind.RECOVERY}
    if not kinds:
        return let_in(request, user, target, ("pwd",))
    begin_second_step(request, user, target)
    if kinds == {Kind.CODE}:
        try_to_send(request, user)
    return redirect("pages:second-step")


def try_to_send(request: HMSRequest, user: User) -> None:
    """A code is on its way, unless there were too many: they have one already, or ask for one when they may."""
    with suppress(RateLimited):
        _send(request, user)


def let_in(request: HMSRequest, user: User, target: str, methods: tuple[str, ...]) -> HttpResponse:
    return admit(request, user, methods, lambda: redirect(target))


def admit(request: HMSRequest, user: User, methods: tuple[str, ...], answer: Callable[[], HttpResponse]) -> HttpResponse:
    """The session begins, and then the answer is made; a browser that the person never used before is told to them."""
    first_time = user.last_login is None
    end_second_step(request)
    enter(request, user, methods=methods)
    note_proved(request)
    response = answer()
    tell_of_new_device(request, user, response, first_time=first_time)
    return response


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def second_step(request: HMSRequest) -> HttpResponse:
    user = pending_user(request)
    if user is None:
        return redirect("pages:sign-in")
    form = SecondStepForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        return _shown(request, user, form, status=200 if request.method == "GET" else 422)
    code = form.cleaned_data["code"]
    return _tried(request, user, form, lambda count: check_code(request, user=user, code=code, count=count))


@route_class(RouteClass.SIGN_IN)
@require_POST
def send_code(request: HMSRequest) -> HttpResponse:
    """Another code, by what the person has chosen."""
    user = pending_user(request)
    if user is None:
        return redirect("pages:sign-in")
    try:
        _send(request, user)
    except RateLimited as error:
        return _shown(request, user, SecondStepForm(), refused=error)
    return HttpResponseSeeOther(reverse("pages:second-step"))


@route_class(RouteClass.SIGN_IN)
@require_POST
def ask_passkey(request: HMSRequest) -> HttpResponse:
    """For a script: what the browser is to prove. Says nothing of anybody who has not given their password."""
    user = pending_user(request)
    known = [one for one in factors_of(user) if one.kind == Kind.PASSKEY] if user else []
    asked, state = passkeys.ask_to_prove(known)
    keep_asked(request, state)
    return JsonResponse(asked)


@route_class(RouteClass.SIGN_IN)
@require_POST
def passkey(request: HMSRequest) -> HttpResponse:
    """A passkey was used: as the second step, or alone, for it is something one has and a finger or number."""
    answer, state, pending = request.POST.get("answer", ""), take_asked(request), pending_user(request)
    user = pending or _claimed(answer)
    if user is None or state is None:
        return _refused(request, pending, SignInRefused(_("This passkey does not open an account.")))
    target = pending_target(request) if pending else safe_next(request)
    try:
        with sign_in_try(request, counted_as(user)) as count:
            check_passkey(request, user=user, state=state, answer=answer, count=count)
    except (SignInRefused, RateLimited) as error:
        return _refused(request, pending, error)
    return let_in(request, user, target, ("pwd", "hwk") if pending else ("hwk", "user"))


def _claimed(answer: str) -> User | None:
    try:
        return user_by_id(passkeys.person_of(answer))
    except passkeys.NotProved:
        return None


def _refused(request: HMSRequest, pending: User | None, error: DomainError) -> HttpResponse:
    return _shown(request, pending, SecondStepForm(), refused=error) if pending else sign_in_page(request, refused=error)


def _send(request: HMSRequest, user: User) -> None:
    count_own_letter(request, user)
    send_second_step(user=user)


def _tried(request: HMSRequest, user: User, form: SecondStepForm, check: Callable[[Callable[[], None]], Proof]) -> HttpResponse:
    target = pending_target(request)
    try:
        with sign_in_try(request, counted_as(user)) as count:
            proof = check(count)
    except (SignInRefused, RateLimited) as error:
        return _shown(request, user, form, refused=error)
    return let_in(request, user, target, ("pwd", proof.method))


def _shown(
    request: HMSRequest, user: User, form: SecondStepForm, *, status: int = 422, refused: DomainError | None = None
) -> HttpResponse:
    kinds = {one.kind for one in factors_of(user)}
    context = {
        "form": form,
        "refused": refused,
        "has_app": Kind.APP in kinds,
        "has_code": Kind.CODE in kinds,
        "has_passkey": Kind.PASSKEY in kinds and passkeys.available(),
        "has_recovery": Kind.RECOVERY in kinds,
    }
    status = refused.status if isinstance(refused, RateLimited) else status
    response = render(request, "core/second_step.html", context, status=status)
    come_back(response, refused.retry_after if refused else 0)
    return response
