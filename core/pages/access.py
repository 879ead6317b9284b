"""Who may open a page: one decorator, the same matrix as the API."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from core.accounts.proofs import recently_proved
from core.errors import DomainError, NotAllowed
from core.pages.navigation import start_for
from core.requests import ClinicRequest, HMSRequest
from core.responses import HttpResponseSeeOther, error_response
from core.tenancy.models import Clinic

View = Callable[..., HttpResponse]
CHOOSING = "/choose-clinic/"


def safe_next(request: HMSRequest) -> str:
    """Where to go after signing in: only to an address of our own."""
    target = request.POST.get("next") or request.GET.get("next") or "/"
    return target if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()) else "/"


def signed_in(view: View) -> View:
    """Send strangers to the sign-in page, and back afterwards. A rule that refuses becomes its error page."""

    @wraps(view)
    def guarded(request: HMSRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            target = request.get_full_path() if request.method == "GET" else "/"
            return redirect(f"{reverse('pages:sign-in')}?next={quote(target)}")
        try:
            return view(request, *args, **kwargs)
        except DomainError as error:
            refused = error_response(request, error)  # before: what an error's own page asks, can't be asked of a lost transaction
            transaction.set_rollback(True)
            return refused

    return guarded


def proved(view: View, *, back: str = "") -> View:
    """For what a stolen session must not do: the password was given within the last minutes, or is asked for first.

    Afterwards who sent a form too late finds the page that has it: the one named `back`, by default the same address.
    """

    @signed_in
    @wraps(view)
    def guarded(request: HMSRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if recently_proved(request):
            return view(request, *args, **kwargs)
        return prove_first(reverse(back) if back and request.method != "GET" else request.path)

    return guarded


def prove_first(back: str) -> HttpResponse:
    """To the page that asks for the password, and from there to `back`."""
    return HttpResponseSeeOther(f"{reverse('pages:confirm')}?next={quote(back)}")


def staff_page(view: View) -> View:
    """A page of a clinic: signed in, and with a clinic chosen."""

    @signed_in
    @wraps(view)
    def guarded(request: HMSRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.clinic is None:
            return choose_clinic_page(request)
        return view(request, *args, **kwargs)

    return guarded


def choose_clinic_page(request: HMSRequest) -> HttpResponse:
    """Where to work now: the memberships, for a platform role every active clinic, or what to do without any."""
    clinics = [membership.clinic for membership in request.memberships]
    if request.user.platform_role:
        clinics = list(Clinic.objects.filter(state=Clinic.State.ACTIVE))
    target = request.get_full_path() if request.method == "GET" and request.path != CHOOSING else "/"
    return render(request, "core/choose_clinic.html", {"clinics": clinics, "next": target})


def page(resource: str, action: str = "view", *, patients_too: bool = False) -> Callable[[View], View]:
    """A page for those whom the matrix lets do `action` on `resource`. The names stay readable on the view.

    Somebody who is only a patient here is let in with `patients_too`; whoever may not see the start page is sent to their own.
    """

    def decorate(view: View) -> View:
        @staff_page
        @wraps(view)
        def guarded(request: ClinicRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            let_in = patients_too or not request.actor.is_patient_only
            if let_in and request.actor.can(resource, action):
                return view(request, *args, **kwargs)
            if request.path == "/" and (start := start_for(request.actor)):
                return redirect(start)
            raise NotAllowed(_("Your role does not allow this."))

        guarded.resource, guarded.matrix_action, guarded.patients_too = resource, action, patients_too  # type: ignore[attr-defined]
        return guarded

    return decorate
