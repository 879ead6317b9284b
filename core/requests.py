"""What the middleware puts on a request, for those who read types. At run time these are plain HttpRequests."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

if TYPE_CHECKING:
    from core.accounts.actor import Actor
    from core.accounts.models import Membership, User
    from core.tenancy.models import Clinic


class HMSRequest(HttpRequest):
    """Any request behind the whole line of middleware; `actor` and `clinic` are None for a stranger."""

    request_id: str
    user: "User"  # or AnonymousUser, until `is_authenticated` has been asked
    auth_method: str
    token_clinic_id: UUID | None
    memberships: "list[Membership]"
    clinic: "Clinic | None"
    actor: "Actor | None"


class ClinicRequest(HMSRequest):
    """A request of a signed-in person inside a clinic: what a view behind `core.pages.access.page` receives."""

    clinic: "Clinic"
    actor: "Actor"


def underlying(request: Request) -> HMSRequest:
    """The request that the middleware saw, inside DRF's own."""
    inner: HMSRequest = request._request  # type: ignore[assignment]
    return inner
