"""What the middleware puts on a request, for those who read types. At run time these are plain HttpRequests."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from core.accounts.actor import Actor
    from core.accounts.api_keys.known import KnownKey
    from core.accounts.known import KnownSession
    from core.accounts.models import Membership, User
    from core.audit.restricted import Opening
    from core.database.detector import Detector
    from core.errors import DomainError
    from core.security.limiting.callers import Counted
    from core.tenancy.models import Clinic


class HMSRequest(HttpRequest):
    """Any request behind the whole line of middleware; `actor` and `clinic` are None for a stranger."""

    request_id: str
    watches: bool  # a machine that may see how HMS is (core.health.middleware)
    strangers_blocked: bool  # from this address only those go on who are signed in
    peer: str  # who opened the connection: our proxy, or the client; META["REMOTE_ADDR"] is always the client
    api_version: str  # the newest for what is no request to the API
    version_refused: "DomainError | None"  # what is to be said of a version there is not
    statements: "Detector"
    user: "User"  # or AnonymousUser, until `is_authenticated` has been asked
    auth_method: str
    auth_session: "KnownSession | None"  # None until `user.is_authenticated` has been asked
    api_key: "KnownKey | None"  # what another system asks with, in place of a session
    token_clinic_id: UUID | None  # the clinic that a token or a key names
    memberships: "list[Membership]"
    clinic: "Clinic | None"
    actor: "Actor | None"
    openings: "Mapping[UUID, Opening]"  # the restricted records that are open to the person; empty without a clinic
    counted: "Counted"
    person_id: UUID | None  # who was found to ask; None for a stranger, and while nobody has looked
    access: "tuple[UUID, datetime]"  # id and moment of its event in the access log, once it has one
    turned_down: BaseException | None  # the database's error that a second run of the request would probably not meet


class ClinicRequest(HMSRequest):
    """A request of a signed-in person inside a clinic: what a view behind `core.pages.access.page` receives."""

    clinic: "Clinic"
    actor: "Actor"


GetResponse = Callable[[HMSRequest], HttpResponse]  # what a middleware is given to ask on


def underlying(request: Request) -> HMSRequest:
    """The request that the middleware saw, inside DRF's own."""
    inner: HMSRequest = request._request  # type: ignore[assignment]
    return inner


def route_of(request: HttpRequest) -> str:
    """The method and the route's pattern, never the path: that may hold a patient's number."""
    match = request.resolver_match
    return f"{request.method} /{match.route}" if match else f"{request.method} (no route)"
