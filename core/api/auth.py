"""Signing in to the API, and who one is there."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts import tokens
from core.accounts.factors.known import has_second_factor
from core.accounts.factors.sign_in import check_code, counted_as
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.accounts.sign_in import check_credentials
from core.api.serializers import InputSerializer, OutputSerializer
from core.api.views import ClinicViewSet, KnownParameters
from core.errors import Detail, NotAuthenticated
from core.requests import HMSRequest, underlying
from core.security.limiting.classes import RouteClass
from core.security.limiting.counting import count_account, count_refresh
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic


class TokenInput(InputSerializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)
    otp = serializers.CharField(
        max_length=40, required=False, allow_blank=True, write_only=True,
        help_text="With a second factor: the app's code, one that was sent (`auth/otp/request`), or a recovery code.",
    )  # fmt: skip


class RefreshInput(InputSerializer):
    refresh = serializers.CharField(max_length=2048)


class UserOutput(OutputSerializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    full_name = serializers.CharField()
    platform_role = serializers.CharField(allow_blank=True, help_text="Empty for people of clinics.")


class TokenOutput(OutputSerializer):
    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
    user = UserOutput()


class ClinicBrief(OutputSerializer):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class MembershipBrief(OutputSerializer):
    clinic = ClinicBrief()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))


class MeOutput(UserOutput):
    memberships = MembershipBrief(many=True)
    clinic = ClinicBrief(allow_null=True, help_text="The clinic this request is about.")


class _OpenView(KnownParameters):
    """Sign-in: no person yet, so no matrix. A session cookie sent along is ignored."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]


class TokenView(_OpenView):
    route_class = RouteClass.AUTH

    @extend_schema(request=TokenInput, responses=TokenOutput, auth=[])
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Exchange e-mail and password for tokens. The answer to a wrong e-mail and a wrong password is the same.

        Where a right password is not enough the answer is 401 with the detail `otp_required`: send `otp` too.
        """
        given = TokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        inner, email = underlying(request), given.validated_data["email"]
        otp, count = given.validated_data.pop("otp", ""), lambda: count_account(inner, email)
        user = check_credentials(inner, **given.validated_data, count=count)
        if has_second_factor(user.pk):
            _require_second_step(inner, user, otp)
        return Response(TokenOutput(_pair_for(user)).data)


class RefreshView(_OpenView):
    route_class = RouteClass.REFRESH

    @extend_schema(request=RefreshInput, responses=TokenOutput, auth=[])
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Exchange a refresh token for a new pair."""
        given = RefreshInput(data=request.data)
        given.is_valid(raise_exception=True)
        user, _clinic = tokens.read(given.validated_data["refresh"], kind=tokens.REFRESH)
        count_refresh(underlying(request), user.pk)
        return Response(TokenOutput(_pair_for(user)).data)


class MeView(ClinicViewSet):
    resource = None
    clinic_optional = True
    output = MeOutput
    pagination_class = None

    @extend_schema(responses=MeOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The signed-in person and where they work."""
        inner = underlying(request)
        user = inner.user
        data = {
            "id": user.pk,
            "email": user.email,
            "full_name": user.full_name,
            "platform_role": user.platform_role,
            "memberships": inner.memberships,
            "clinic": inner.clinic,
        }
        return self.one(data)


def _require_second_step(request: HMSRequest, user: User, otp: str) -> None:
    """Raises NotAuthenticated with `otp_required`, SignInRefused, RateLimited. Counted apart from the password's tries."""
    if not otp:
        message = _("This account signs in with a second factor. Send its code as `otp`.")
        raise NotAuthenticated(message, [Detail("otp", "otp_required", message)])
    check_code(request, user=user, code=otp, count=lambda: count_account(request, counted_as(user)))


def _pair_for(user: User) -> dict[str, Any]:
    """Tokens for the person; they name the clinic when there is only one. One query."""
    with narrowed(user_id=user.pk):
        clinics = Membership.objects.filter(
            user=user, state=Membership.State.ACTIVE, clinic__state=Clinic.State.ACTIVE
        ).values_list("clinic_id", flat=True)[:2]
        only = clinics[0] if len(clinics) == 1 else None
    pair = tokens.issue(user, clinic_id=only)
    return {"access": pair.access, "refresh": pair.refresh, "expires_in": pair.expires_in, "user": user}
