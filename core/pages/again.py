"""The session has ended in the middle of a page: the person signs in again in a dialog, and what they typed is sent on."""

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

IDS = "again_%s"  # the page has forms of its own below the dialog
Form = SignInForm | SecondStepForm


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def sign_in_again(request: HMSRequest) -> HttpResponse:
    """For a script, which says in `who` and `clinic` whose page it is. GET answers 204 while that person is signed in.

    Everything else is the dialog's content (200, 422, 429), and once the person is in, JSON with the page's new CSRF `token`.
    """
    if request.method == "GET":
        signed_in = request.user.is_authenticated and str(request.user.pk) == request.GET.get("who")
        return HttpResponse(status=204) if signed_in else _dialog(request, SignInForm(auto_id=IDS))
    second = "code" in request.POST
    try:
        return _second(request) if second else _first(request)
    except (SignInRefused, RateLimited) as error:
        form = SecondStepForm(auto_id=IDS) if second else SignInForm(request.POST, auto_id=IDS)
        return _dialog(request, form, refused=error)


def _first(request: HMSRequest) -> HttpResponse:
    form = SignInForm(request.POST, auto_id=IDS)
    if not form.is_valid():
        return _dialog(request, form, status=422)
    with sign_in_try(request, form.cleaned_data["email"]) as count:
        user = check_credentials(request, **form.cleaned_data, count=count)
    if not _is_theirs(request, user):
        raise SignInRefused(_("This page belongs to somebody else, who was signed in here before. Sign in as them, or close it."))
    kinds = {one.kind for one in factors_of(user)} - {Kind.RECOVERY}
    if not kinds:
        return _in(request, user, ("pwd",))
    begin_second_step(request, user, "/")
    if kinds == {Kind.CODE}:
        try_to_send(request, user)
    return _dialog(request, SecondStepForm(auto_id=IDS))


def _second(request: HMSRequest) -> HttpResponse:
    user, form = pending_user(request), SecondStepForm(request.POST, auto_id=IDS)
    if user is None or not _is_theirs(request, user):
        return _dialog(request, SignInForm(auto_id=IDS), status=422)
    if not form.is_valid():
        return _dialog(request, form, status=422)
    with sign_in_try(request, counted_as(user)) as count:
        proof = check_code(request, user=user, code=form.cleaned_data["code"], count=count)
    return _in(request, user, ("pwd", proof.method))


def _is_theirs(request: HMSRequest, user: User) -> bool:
    """Nobody sends on under their own name what somebody else has typed."""
    return str(user.pk) == request.POST.get("who")


def _in(request: HMSRequest, user: User, methods: tuple[str, ...]) -> HttpResponse:
    """A new session, in the clinic in which the page was opened. Whether the person belongs there is looked up at each request."""
    response = admit(request, user, methods, lambda: JsonResponse({"token": get_token(request)}))
    try:
        request.session["clinic_id"] = str(UUID(request.POST.get("clinic", "")))
    except ValueError:  # a page outside of clinics
        pass
    return response


def _dialog(request: HMSRequest, form: Form, *, status: int = 200, refused: DomainError | None = None) -> HttpResponse:
    if refused is not None:
        status = refused.status if isinstance(refused, RateLimited) else 422
    context = {"form": form, "refused": refused, "second": isinstance(form, SecondStepForm)}
    response = render(request, "core/_again.html", context, status=status)
    come_back(response, refused.retry_after if refused else 0)
    return response
