"""Who is asking (session, bearer token or API key), and in which clinic."""

import logging
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware as DjangoAuthentication
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from core.accounts import tokens
from core.accounts.actor import Actor
from core.accounts.api_keys import known as api_keys
from core.accounts.auth_sessions import NOTED_EVERY, note_seen
from core.accounts.known import clinic_named, known_memberships, user_of_session
from core.accounts.models import User
from core.accounts.roles import Role
from core.audit.restricted import decided_access
from core.errors import BadRequest, Detail, DomainError, NotAllowed
from core.requests import GetResponse, HMSRequest
from core.responses import error_response, is_api
from core.security.recorder import Kind, record
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic

logger = logging.getLogger(__name__)


class AuthenticationMiddleware(DjangoAuthentication):
    """In place of Django's own. Sets `request.user` and `request.auth_method` ("session", "token" or "key").

    A bad token or key is refused, not ignored, and so is a key anywhere but at the API.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)  # type: ignore[arg-type]
        self.answer = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:  # type: ignore[override]
        scheme, _, credential = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        request.token_clinic_id, request.auth_session, request.api_key = None, None, None
        if reads := CREDENTIALS.get(scheme.lower()):
            try:
                reads(request, credential.strip())
            except DomainError as error:
                if isinstance(error, tokens.ForgedToken):
                    record(request, Kind.TOKEN_REFUSED)
                return error_response(request, error)
            request.person_id = request.user.pk
        else:
            request.user = SimpleLazyObject(lambda: user_of_session(request))  # type: ignore[assignment]
            request.auth_method = "session"
        response = self.answer(request)
        _note_used(request)
        return response


def _read_token(request: HMSRequest, token: str) -> None:
    request.user, request.auth_session, request.token_clinic_id = tokens.read(token)
    request.auth_method = "token"


def _read_key(request: HMSRequest, text: str) -> None:
    if not is_api(request):
        raise NotAllowed("An API key opens the API alone.")
    request.user, request.api_key = api_keys.read_key(text)
    request.auth_method, request.token_clinic_id = "key", request.api_key.clinic_id


CREDENTIALS = {"bearer": _read_token, "api-key": _read_key}  # by the scheme of `Authorization`, which has no case


def _note_used(request: HMSRequest) -> None:
    """Once the answer is there and its transaction over: that a session was used must make no request slower or fail."""
    session, key, now = request.auth_session, request.api_key, timezone.now()
    try:
        if session is not None and now - session.last_seen >= NOTED_EVERY:
            note_seen(session.id, session.user_id)
        if key is not None and (key.last_used_at is None or now - key.last_used_at >= NOTED_EVERY):
            api_keys.note_used(key, str(request.META.get("REMOTE_ADDR") or ""))
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
        if request.api_key is not None:
            self._enter_with_key(request, request.api_key)
            return
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

    def _enter_with_key(self, request: HMSRequest, key: api_keys.KnownKey) -> None:
        """A key is of one clinic, whatever else is named. No query, or one."""
        clinic = clinic_named(str(key.clinic_id))
        if clinic is None or wanted_clinic(request)[1] not in (str(clinic.pk), clinic.slug.lower()):
            raise NotAllowed("This API key is for another clinic.")
        request.clinic = clinic
        request.actor = Actor(key.user_id, request.user.full_name, clinic.pk, frozenset(), scopes=key.scopes)

    def _enter_as_platform(self, request: HMSRequest, user: User, wanted: str) -> None:
        roles = frozenset({Role(user.platform_role)})
        if wanted:
            request.clinic = clinic_named(wanted)
            if request.clinic is None:
                raise NotAllowed("There is no such clinic.")
        request.actor = Actor(user.pk, user.full_name, request.clinic.pk if request.clinic else None, roles)


def wanted_clinic(request: HMSRequest) -> tuple[bool, str]:
    """The clinic the request names, as id or slug, and whether it was said explicitly (a wrong one is then refused)."""
    for said in (request.META.get("HTTP_X_CLINIC_ID"), _asked_clinic(request)):
        if said:
            return True, _spelt(said)
    if request.token_clinic_id:
        return True, str(request.token_clinic_id)
    host = request.get_host().partition(":")[0].lower()
    subdomain = host.removesuffix(f".{settings.HMS_BASE_DOMAIN}")
    if subdomain != host:
        return True, subdomain
    return False, str(request.session.get("clinic_id", ""))


def _asked_clinic(request: HMSRequest) -> str | None:
    """`clinic_id` of the query, which is taken apart only if it may name one: that takes longer than all else here."""
    return request.GET.get("clinic_id") if "clinic_id" in unquote(request.META.get("QUERY_STRING", "")) else None


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
