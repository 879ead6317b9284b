"""What the frame around every page needs: clinic, person, menu."""

from typing import Any

from django.conf import settings

from core.pages.navigation import menu_for
from core.requests import HMSRequest


def frame(request: HMSRequest) -> dict[str, Any]:
    """Context for `base.html`. No query of its own."""
    actor = getattr(request, "actor", None)
    return {
        "actor": actor,
        "clinic": getattr(request, "clinic", None),
        "memberships": getattr(request, "memberships", []),
        "menu": menu_for(actor, request.path) if actor else [],
        "role_names": ", ".join(sorted(str(role.label) for role in actor.roles)) if actor else "",
        "demo": settings.HMS_DEMO,
    }
