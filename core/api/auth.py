"""Signing in to the API, and who one is there."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts import tokens
from core.accounts.auth_sessions import AuthSession, Ended, end_session, origin_of, sessions_of
from core.accounts.auth_sessions import Kind as SessionKind
from core.accounts.entry import leave
from core.accounts.factors.known import has_second_factor
from core.accounts.factors.sign_in import Proof, check_code, counted_as
from core.accounts.models import Membership, User
from core.accounts.refreshing import refreshed
from core.accounts.roles import Role
from core.accounts.sign_in import check_credentials
from core.api.serializers import InputSerializer, OutputSerializer
from core.api.views import ClinicViewSet, KnownParameters
from core.errors import Detail, NotAuthenticated, NotFound
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
        methods = ("pwd", _second_step(inner, user, otp).method) if has_second_factor(user.pk) else ("pwd",)
        return Response(TokenOutput(program_signed_in(inner, user, methods)).data)


class RefreshView(_OpenView):
    route_class = RouteClass.REFRESH

    @extend_schema(request=RefreshInput, responses=TokenOutput, auth=[])
    def post(self, request: Request, **_: Any) -> Response:
        """Exchange a refresh token for a new pair. Each is good for one exchange.

        Within 10 seconds the same token gets the same refresh token again, in case the answer was lost. Later a used token
        ends the session with all its tokens: somebody has copied it.
        """
        given = RefreshInput(data=request.data)
        given.is_valid(raise_exception=True)
        inner = underlying(request)
        count = partial(count_refresh, inner)
        user, pair = refreshed(inner, given.validated_data["refresh"], count=count, clinic_of=_only_clinic)
        return Response(TokenOutput(_shown(user, pair)).data)


class LogoutView(KnownParameters):
    """Whoever is signed in, by token or in a browser, may sign out."""

    clinic_optional = True

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, **_: Any) -> Response:
        """End the session that this request is of: its access and refresh tokens are refused from now on."""
        inner = underlying(request)
        if inner.auth_method == "session":
            leave(inner)
        elif inner.auth_session is not None:
            end_session(inner.auth_session.id, user_id=inner.auth_session.user_id, why=Ended.SIGNED_OUT)
        return Response(status=204)


class SessionOutput(OutputSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=SessionKind.choices)
    current = serializers.BooleanField(help_text="Is it the one that asks?")
    began = serializers.DateTimeField()
    last_seen = serializers.DateTimeField(help_text="When it was last used, to within five minutes.")
    expires = serializers.DateTimeField()
    address = serializers.CharField(allow_blank=True, help_text="Where from, at sign-in.")
    user_agent = serializers.CharField(allow_blank=True, help_text="What the browser or program called itself, at sign-in.")
    methods = serializers.ListField(child=serializers.CharField(), help_text="How the person proved who they are, by RFC 8176.")


class SessionViewSet(ClinicViewSet):
    """The person's own sessions; nobody else's."""

    resource = None
    clinic_optional = True
    model = AuthSession
    output = SessionOutput
    pagination_class = None
    kept = None

    def rows(self) -> QuerySet[AuthSession]:
        return sessions_of(underlying(self.request).user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Where one is signed in now, the last used first."""
        present = underlying(request).auth_session
        return self.many([vars(one) | {"current": present is not None and present.id == one.pk} for one in self.rows()])

    def destroy(self, request: Request, pk: str, **_: Any) -> Response:
        """End one of one's sessions. It is refused from its next request on."""
        user = underlying(request).user
        if not end_session(self.key(), user_id=user.pk, why=Ended.BY_PERSON, by=user.pk):
            raise NotFound("There is no such session.")
        return Response(status=204)


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


def _second_step(request: HMSRequest, user: User, otp: str) -> Proof:
    """What `otp` proves, counted apart from the password's tries.

    Raises NotAuthenticated with `otp_required`, SignInRefused, RateLimited.
    """
    if not otp:
        message = _("This account signs in with a second factor. Send its code as `otp`.")
        raise NotAuthenticated(message, [Detail("otp", "otp_required", message)])
    return check_code(request, user=user, code=otp, count=lambda: count_account(request, counted_as(user)))


def program_signed_in(request: HMSRequest, user: User, methods: tuple[str, ...]) -> dict[str, Any]:
    """A program's session and its first tokens, as they are shown. `methods` are those of RFC 8176. Four statements."""
    pair = tokens.issue(user, clinic_id=_only_clinic(user), methods=methods, origin=origin_of(request))
    return _shown(user, pair)


def _only_clinic(user: User) -> UUID | None:
    """The clinic that tokens name: the only one. One query."""
    with narrowed(user_id=user.pk):
        clinics = Membership.objects.filter(
            user=user, state=Membership.State.ACTIVE, clinic__state=Clinic.State.ACTIVE
        ).values_list("clinic_id", flat=True)[:2]
        return clinics[0] if len(clinics) == 1 else None


def _shown(user: User, pair: tokens.TokenPair) -> dict[str, Any]:
    return {"access": pair.access, "refresh": pair.refresh, "expires_in": pair.expires_in, "user": user}
