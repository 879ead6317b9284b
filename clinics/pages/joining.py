"""The page behind the link of an invitation: open to whoever holds it, and to nobody else."""

from typing import cast

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from clinics.forms import JoinForm, JoinWithPasswordForm
from clinics.models import Invitation
from clinics.pages.people import in_words
from clinics.services import accept_invitation
from clinics.services.invitations import open_invitation, opened_link
from core.accounts.entry import leave
from core.accounts.models import User
from core.accounts.sign_in import SignInRefused, check_credentials
from core.errors import DomainError, RateLimited, ValidationFailed
from core.forms import show_problems
from core.pages.second_step import after_password
from core.requests import HMSRequest
from core.responses import come_back, error_response
from core.security.limiting.classes import RouteClass, route_class
from core.security.limiting.forms import sign_in_try
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic


@route_class(RouteClass.SIGN_IN)
@require_http_methods(["GET", "POST"])
def join(request: HMSRequest, token: str) -> HttpResponse:
    """Who the invitation is for joins with the account they have, or makes one. Nobody else's session survives it."""
    try:
        clinic, secret = opened_link(token)
        with narrowed(clinic_id=clinic.pk):
            return _Joining(request, clinic, secret).answer()
    except DomainError as error:
        return error_response(request, error)


class _Joining:
    """One request to the page, within the clinic's scope."""

    def __init__(self, request: HMSRequest, clinic: Clinic, secret: str) -> None:
        self.request, self.clinic, self.secret = request, clinic, secret
        self.invitation: Invitation = open_invitation(secret)
        self.account = User.objects.filter(email=self.invitation.email).first()
        self.signed_in = request.user.is_authenticated and request.user.pk == getattr(self.account, "pk", None)

    def answer(self) -> HttpResponse:
        if self.request.method == "GET":
            return self._page(self._form())
        form = self._form()
        if form is None:
            return self._joined(self.account, enter_anew=False)
        form.is_valid()
        if isinstance(form, JoinWithPasswordForm):
            return self._with_password(form)
        try:
            return self._joined(None, **form.cleaned_data)
        except ValidationFailed as error:
            show_problems(form, error)
            return self._page(form, status=422)

    def _form(self) -> Form | None:
        data = self.request.POST if self.request.method == "POST" else None
        if self.signed_in:
            return None
        if self.account is not None:
            return JoinWithPasswordForm(data)
        return JoinForm(data, initial={"full_name": self.invitation.full_name})

    def _with_password(self, form: Form) -> HttpResponse:
        try:
            with sign_in_try(self.request, self.invitation.email) as count:
                password = form.cleaned_data["password"]
                user = check_credentials(self.request, email=self.invitation.email, password=password, count=count)
        except (SignInRefused, RateLimited) as error:
            form.add_error("password", str(error.message))
            response = self._page(form, status=429 if isinstance(error, RateLimited) else 422)
            come_back(response, error.retry_after)
            return response
        return self._joined(user)

    def _joined(self, user: User | None, *, enter_anew: bool = True, full_name: str = "", password: str = "") -> HttpResponse:
        user, _ = accept_invitation(secret=self.secret, user=user, full_name=full_name, password=password)
        if enter_anew:
            leave(self.request)
        self.request.session["clinic_id"] = str(self.clinic.pk)
        return after_password(self.request, user, "/") if enter_anew else redirect("/")

    def _page(self, form: Form | None, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "invitation": self.invitation,
            "place": self.clinic,
            "roles": in_words(self.invitation.roles),
            "account": cast(object, self.account),
        }
        return render(self.request, "clinics/join.html", context, status=status)
