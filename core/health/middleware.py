"""Machines that watch over HMS: known by their token before anything is asked of the database, and called by any host name."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpResponse

from core.health.access import has_token, is_listed
from core.requests import HMSRequest

ALIVE = "/health/live"
PROBES = frozenset({"/health", ALIVE, "/health/ready", "/health/startup", "/health/api"})
METRICS = "/metrics"
BY_TOKEN = frozenset({METRICS, "/health/detailed", "/health/metrics", "/api/performance/health"})


class WatchersMiddleware:
    """Stands before whatever may refuse.

    Who brings the token (for metrics also whoever calls from a listed address) goes on as a stranger with `request.watches`: the
    token is no person's. Probes are answered to anybody. What credentials either bring is laid aside: with a database that is away
    nobody could look them up. Orchestrators call a process by its address; none of these answers depends on the host's name.
    """

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        path = request.path_info
        is_probe = path in PROBES
        request.watches = path in BY_TOKEN and (has_token(request) or (path == METRICS and is_listed(request)))
        if is_probe or request.watches:
            request.META["HTTP_HOST"] = settings.HMS_BASE_DOMAIN
            for name in ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_X_FORWARDED_HOST"):
                request.META.pop(name, None)
        return self.get_response(request)
