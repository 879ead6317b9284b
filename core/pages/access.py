"""Who may open a page: one decorator, the same matrix as the API."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from core.errors import DomainError
from core.requests import ClinicRequest, HMSRequest
from core.responses import error_response

View = Callable[..., HttpResponse]


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
            transaction.set_rollback(True)
            return error_response(request, error)

    return guarded


def staff_page(view: View) -> View:
    """A page of a clinic: signed in, and with a clinic chosen."""

    @signed_in
    @wraps(view)
    def guarded(request: HMSRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.clinic is None:
            return render(request, "core/choose_clinic.html")
        return view(request, *args, **kwargs)

    return guarded


def page(resource: str, action: str = "view") -> Callable[[View], View]:
    """A page for those whom the matrix lets do `action` on `resource`. The names stay readable on the view."""

    def decorate(view: View) -> View:
        @staff_page
        @wraps(view)
        def guarded(request: ClinicRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            request.actor.require(resource, action)
            return view(request, *args, **kwargs)

        guarded.resource, guarded.matrix_action = resource, action  # type: ignore[attr-defined]
        return guarded

    return decorate
