"""The permission matrix, asked once per API request."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.accounts.middleware import require_clinic
from core.accounts.roles import Role, acting, allowed
from core.errors import NotAllowed
from core.requests import underlying

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports this module while it loads its defaults

READS = {
    "list": "view",
    "retrieve": "view",
    "create": "create",
    "update": "change",
    "partial_update": "change",
    "destroy": "delete",
    "metadata": "view",
}


class MatrixPermission(BasePermission):
    """Needs a signed-in person, a clinic (unless `clinic_optional`), and the matrix's yes for `resource` x action.

    A view names its `resource`, and in `matrix_actions` what its own actions are called in the matrix. What has no `resource` is
    a person's own, so no API key gets there.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if not getattr(view, "clinic_optional", False):
            require_clinic(underlying(request))
        resource: str | None = getattr(view, "resource", None)
        if resource is None and underlying(request).api_key is not None:
            raise NotAllowed(_("This is for people: an API key has no account to look after."))
        if resource is None or not matrix_action(view):
            return True  # without an action the view has no such method: it answers 405 itself
        actor = underlying(request).actor
        if actor is not None:
            actor.require(resource, matrix_action(view))
        elif not allowed(roles_anywhere(request), resource, matrix_action(view)):
            raise NotAllowed("You are not a member of any clinic.")
        return True


def roles_anywhere(request: Request) -> frozenset[Role]:
    """As what the person acts in any clinic: for views that need no clinic."""
    return acting(role for membership in underlying(request).memberships for role in membership.roles)


def matrix_action(view: "APIView") -> str:
    """What the view's current action is called in the matrix."""
    name = getattr(view, "action", None) or ""
    own: dict[str, str] = getattr(view, "matrix_actions", {})
    return own.get(name) or READS.get(name) or name
