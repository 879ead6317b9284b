"""Pages that belong to no domain: sign in, sign out, choose a clinic, drafts, styleguide."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.accounts.entry import leave
from core.accounts.known import clinic_named
from core.accounts.sign_in import SignInRefused, check_credentials
from core.drafts.services import Step, drop_draft, keep_draft
from core.errors import NotFound, RateLimited
from core.pages.access import choose_clinic_page, safe_next, signed_in, staff_page
from core.pages.forms import SignInForm
from core.pages.second_step import after_password
from core.pages.sign_in_page import sign_in_page
from core.pages.styleguide import ExampleForm, icon_names, wrong_example
from core.requests import ClinicRequest, HMSRequest
from core.responses import HttpResponseSeeOther
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.forms import sign_in_try


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def sign_in(request: HMSRequest) -> HttpResponse:
    if request.user.is_authenticated and request.method == "GET":
        return redirect(safe_next(request))
    form = SignInForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        return sign_in_page(request, form=form)
    try:
        with sign_in_try(request, form.cleaned_data["email"]) as count:
            user = check_credentials(request, **form.cleaned_data, count=count)
    except (SignInRefused, RateLimited) as error:
        return sign_in_page(request, form=form, refused=error)
    return after_password(request, user, safe_next(request))


@require_POST
def sign_out(request: HMSRequest) -> HttpResponse:
    leave(request)
    response = redirect("pages:sign-in")
    response["Clear-Site-Data"] = '"storage"'  # pages are never stored (no-store), so the browser's cache holds no patient
    return response


@require_POST
@signed_in
def switch_clinic(request: HMSRequest) -> HttpResponse:
    """Work in another clinic: one of the memberships, or for a platform role any."""
    wanted = request.POST.get("clinic", "")
    membership = next((m for m in request.memberships if str(m.clinic_id) == wanted), None)
    clinic = membership.clinic if membership else clinic_named(wanted) if request.user.platform_role else None
    if clinic is None:
        raise NotFound(_("There is no such clinic."))
    request.session["clinic_id"] = str(clinic.pk)
    return redirect(safe_next(request))


@require_GET
@signed_in
def choose_clinic(request: HMSRequest) -> HttpResponse:
    return choose_clinic_page(request)


@require_http_methods(["POST", "DELETE"])
@staff_page
def draft(request: ClinicRequest, form: str) -> HttpResponse:
    """Keep what is being typed (POST), or throw it away (DELETE).

    `Form-Key` is the idempotency key with which the form will be sent: 204 says that it was.
    `Draft-Step` counts what the page sends.
    """
    if request.method == "DELETE":
        drop_draft(actor=request.actor, form=form)
        return HttpResponse(status=204)
    step = Step.parse(request.headers.get("Draft-Step", ""))
    kept = keep_draft(actor=request.actor, form=form, typed=request.POST, key=request.headers.get("Form-Key", ""), step=step)
    if kept is None:
        return HttpResponse(status=204)
    return JsonResponse({"kept_at": kept.updated_at.isoformat()})


@require_POST
@staff_page
def discard_draft(request: ClinicRequest, form: str) -> HttpResponse:
    """Throw the draft away and open the form anew."""
    drop_draft(actor=request.actor, form=form)
    return HttpResponseSeeOther(safe_next(request))


@require_GET
def styleguide(request: HMSRequest) -> HttpResponse:
    """Every component in every state; invented examples, and no query."""
    return render(request, "core/styleguide.html", {"example": ExampleForm(), "wrong": wrong_example(), "icons": icon_names()})
