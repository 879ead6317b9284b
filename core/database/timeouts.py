"""Which limits a request's statements have: by the door it came through."""

from django.conf import settings

from core.tenancy.limits import Limits


def limits_of(path: str) -> Limits:
    """Of the page, the API or the administration site that this path belongs to (`settings.HMS_TIME_LIMITS`).

    Code that may take longer enters `narrowed(limits=...)`.
    """
    kind = "api" if path.startswith("/api/") else "admin" if path.startswith("/admin/") else "page"
    limits: Limits = settings.HMS_TIME_LIMITS[kind]
    return limits
