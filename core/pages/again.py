"""The session has ended in the middle of a page: sign in again in a dialog, and what was typed is sent on."""

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from core.accounts.factors.known import Kind, factors_of
from core.accounts.factors.sign_in import check_code, counted_as
from core.accounts.models import User
from core.accounts.proofs import begin_second_step, pending_user
from core.accounts.sign_in import SignInRefused, check_credentials
from core.errors import DomainError, RateLimited
from core.pages.forms import SecondStepForm, SignInForm
from core.pages.second_step import admit, try_to_send
from core.requests import HMSRequest
from core.responses import come_back
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.forms import sign_in_try

Form = SignInForm | SecondStepForm


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def sign_in_again(request: HMSRequest) -> HttpResponse:
    """For a script. 204: the session lives. Else the dialog's content (200, 422, 429), and as JSON the new token once one is in."""
    if request.method == "GET":
        return HttpResponse(status=204) if request.user.is_authenticated else _dialog(request, SignInForm())
    try:
        return _second(request) if "code" in request.POST else _first(request)
    except (SignInRefused, RateLimited) as error:
        form = SecondStepForm() if "code" in request.POST else SignInForm(request.POST)
        return _dialog(request, form, refused=error)


def _first(request: HMSRequest) -> HttpResponse:
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _dialog(request, form, status=422)
    with sign_in_try(request, form.cleaned_data["email"]) as count:
        user = check_credentials(request, **form.cleaned_data, count=count)
    if str(user.pk) != request.POST.get("who"):
        raise SignInRefused(_("Somebody else was signed in here. What stands in the form is theirs: sign in as them."))
    kinds = {one.kind for one in factors_of(user)} - {Kind.RECOVERY}
    if not kinds:
        return _in(request, user, ("pwd",))
    begin_second_step(request, user, "/")
    if kinds == {Kind.CODE}:
        try_to_send(request, user)
    return _dialog(request, SecondStepForm())


def _second(request: HMSRequest) -> HttpResponse:
    user, form = pending_user(request), SecondStepForm(request.POST)
    if user is None or str(user.pk) != request.POST.get("who"):
        return _dialog(request, SignInForm(), status=422)
    if not form.is_valid():
        return _dialog(request, form, status=422)
    with sign_in_try(request, counted_as(user)) as count:
        proof = check_code(request, user=user, code=form.cleaned_data["code"], count=count)
    return _in(request, user, ("pwd", proof.method))


def _in(request: HMSRequest, user: User, methods: tuple[str, ...]) -> HttpResponse:
    """A new session in the clinic in which the page was opened; whether the person belongs there is looked up at each request."""
    response = admit(request, user, methods, lambda: JsonResponse({"token": get_token(request)}))
    try:
        request.session["clinic_id"] = str(UUID(request.POST.get("clinic", "")))
    except ValueError:  # a page without a clinic
        return response
    return response


def _dialog(request: HMSRequest, form: Form, *, status: int = 200, refused: DomainError | None = None) -> HttpResponse:
    if refused is not None:
        status = refused.status if isinstance(refused, RateLimited) else 422
    context = {"form": form, "refused": refused, "second": isinstance(form, SecondStepForm)}
    response = render(request, "core/_again.html", context, status=status)
    come_back(response, refused.retry_after if refused else 0)
    return response
