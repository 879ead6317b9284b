"""Who is asking (session or bearer token), and in which clinic."""

import logging
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware as DjangoAuthentication
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from core.accounts import tokens
from core.accounts.actor import Actor
from core.accounts.auth_sessions import NOTED_EVERY, note_seen
from core.accounts.known import clinic_named, known_memberships, user_of_session
from core.accounts.models import User
from core.accounts.roles import Role
from core.audit.restricted import decided_access
from core.errors import BadRequest, Detail, DomainError, NotAllowed
from core.requests import HMSRequest
from core.responses import error_response
from core.security.recorder import Kind, record
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic

GetResponse = Callable[[HMSRequest], HttpResponse]
logger = logging.getLogger(__name__)


class AuthenticationMiddleware(DjangoAuthentication):
    """In place of Django's own. Sets `request.user` and `request.auth_method` ("session" or "token").

    A bad token is refused, not ignored.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)  # type: ignore[arg-type]
        self.answer = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:  # type: ignore[override]
        scheme, _, credential = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        request.token_clinic_id, request.auth_session = None, None
        if scheme.lower() == "bearer":
            try:
                request.user, request.auth_session, request.token_clinic_id = tokens.read(credential.strip())
            except DomainError as error:
                if isinstance(error, tokens.ForgedToken):
                    record(request, Kind.TOKEN_REFUSED)
                return error_response(request, error)
            request.auth_method, request.person_id = "token", request.user.pk
        else:
            request.user = SimpleLazyObject(lambda: user_of_session(request))  # type: ignore[assignment]
            request.auth_method = "session"
        response = self.answer(request)
        _note_seen(request)
        return response


def _note_seen(request: HMSRequest) -> None:
    """Once the answer is there and its transaction over: that a session was used must make no request slower or fail."""
    session = request.auth_session
    if session is None or timezone.now() - session.last_seen < NOTED_EVERY:
        return
    try:
        note_seen(session.id, session.user_id)
    except (OperationalError, InterfaceError):
        logger.warning("It was not noted that a session was used: the database is in trouble.")


class ClinicMiddleware:
    """Finds the clinic the request is about and the person's place in it; sets `request.clinic`, `request.actor` and
    `request.openings` (the restricted records that are open to the person).

    Order: X-Clinic-ID, ?clinic_id=, token's claim, subdomain, session, only membership. Queries: none, or one
    for the memberships of a signed-in person.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        request.clinic, request.actor, request.memberships, request.openings = None, None, [], {}
        if not request.user.is_authenticated:
            return self.get_response(request)
        request.person_id = request.user.pk
        with narrowed(user_id=request.user.pk):
            try:
                self._enter(request)
            except DomainError as error:
                return error_response(request, error)
            if request.clinic is None:
                return self.get_response(request)
            with narrowed(clinic_id=request.clinic.pk), timezone.override(request.clinic.zone), decided_access() as access:
                request.openings = access.openings
                return self.get_response(request)

    def _enter(self, request: HMSRequest) -> None:
        user: User = request.user
        request.memberships = known_memberships(user)
        explicit, wanted = wanted_clinic(request)
        membership = next((m for m in request.memberships if wanted in (str(m.clinic_id), m.clinic.slug.lower())), None)
        if membership is None and not wanted and len(request.memberships) == 1:
            membership = request.memberships[0]
        if membership is not None:
            request.clinic, request.actor = membership.clinic, membership.as_actor(user)
        elif user.platform_role:
            self._enter_as_platform(request, user, wanted)
        elif explicit:
            raise NotAllowed("You are not a member of this clinic.")

    def _enter_as_platform(self, request: HMSRequest, user: User, wanted: str) -> None:
        roles = frozenset({Role(user.platform_role)})
        if wanted:
            request.clinic = clinic_named(wanted)
            if request.clinic is None:
                raise NotAllowed("There is no such clinic.")
        request.actor = Actor(user.pk, user.full_name, request.clinic.pk if request.clinic else None, roles)


def wanted_clinic(request: HMSRequest) -> tuple[bool, str]:
    """The clinic the request names, as id or slug, and whether it was said explicitly (a wrong one is then refused)."""
    for said in (request.META.get("HTTP_X_CLINIC_ID"), request.GET.get("clinic_id")):
        if said:
            return True, _spelt(said)
    if request.token_clinic_id:
        return True, str(request.token_clinic_id)
    host = request.get_host().partition(":")[0].lower()
    subdomain = host.removesuffix(f".{settings.HMS_BASE_DOMAIN}")
    if subdomain != host:
        return True, subdomain
    return False, str(request.session.get("clinic_id", ""))


def _spelt(said: str) -> str:
    """An id or slug as it is compared: ids with dashes, all in lower case."""
    try:
        return str(UUID(said))
    except ValueError:
        return said.lower()


def require_clinic(request: HMSRequest) -> Clinic:
    """The request's clinic. Raises BadRequest with `clinic_required` when none could be found."""
    if request.clinic is None:
        message = "Name the clinic: X-Clinic-ID, ?clinic_id= or the token's clinic."
        raise BadRequest(message, [Detail("clinic", "clinic_required", message)])
    return request.clinic
