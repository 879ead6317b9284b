"""Every route of HMS, walked from the URL conf: what is added tomorrow is in here tomorrow."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from appointments.choices import TRANSITIONS

SAFE = ("get", "head", "options")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@dataclass(frozen=True)
class Route:
    """One way in: a URL pattern and, of an API view, one method."""

    path: str  # with {name} for each parameter
    name: str
    kind: str  # api | api-v1 | page | open | admin
    method: str  # GET, POST, ...
    resource: str | None  # of the permission matrix
    action: str | None
    view: Any

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def id(self) -> str:
        return f"{self.method} {self.path}"


# Routes that anybody may call, by design; the rest needs a person.
OPEN = {"/health", "/sign-in/", "/sign-out/", "/api/v2/auth/token", "/api/v2/auth/token/refresh", "/styleguide/", "/join/{token}/"}
# Routes for any signed-in person, in a clinic or not.
PERSONAL = {"/switch-clinic/", "/choose-clinic/", "/account/sessions/", "/api/v2/auth/me"}
PERSONAL |= {"/api/v2/auth/logout", "/api/v2/auth/sessions", "/api/v2/auth/sessions/{pk}"}
OPEN |= {f"/sign-in/{step}/" for step in ("second", "second/code", "passkey", "passkey/ask", "forgotten", "new-password", "again")}
OPEN |= {"/api/v2/sse/health", "/api/v2/performance/health", "/metrics"}
OPEN |= {f"/health/{what}" for what in ("live", "ready", "startup", "api", "detailed", "metrics")}  # the last two: 404
OPEN |= {"/visit/{token}/", "/webhooks/messages/{channel}/"}
OPEN |= {"/board/{token}/", "/board/{token}/now/", "/board/{token}/stream/", "/kiosk/{token}/"}
OPEN |= {"/api/v2/auth/otp/request", "/api/v2/auth/otp/verify"}
PERSONAL |= {"/account/confirm/", "/account/password/", "/account/security/"}
PERSONAL |= {f"/account/security/{what}/" for what in ("app", "code", "passkey", "passkey/ask", "recovery", "remove")}
# Each person's own in the clinic: what the bell tells.
PERSONAL |= {f"/notifications/{what}" for what in ("", "unread/", "panel/", "read-all/", "{notification_id}/read/")}
PERSONAL |= {f"/api/v2/notifications{what}" for what in ("", "/read-all", "/unread-count", "/{pk}", "/{pk}/read")}
# Not walked here: documents, the alias without a version, static files, and what the admin answers with another address.
OLD, NEW = "/api/v1/", "/api/v2/"
DOCUMENTS = tuple(f"{version}{what}/" for version in (OLD, NEW) for what in ("schema", "docs"))
ELSEWHERE = (*DOCUMENTS, "/static/", "/admin/{url}", "/admin/r/")


@lru_cache(maxsize=1)
def all_routes() -> tuple[Route, ...]:
    return tuple(_walk(get_resolver().url_patterns, "/", {}))


def routes(kind: str, *, methods: tuple[str, ...] | None = None) -> list[Route]:
    return [route for route in all_routes() if route.kind == kind and (methods is None or route.method in methods)]


def _walk(patterns: Any, prefix: str, extra: dict[str, Any]) -> Iterator[Route]:
    for entry in patterns:
        path = prefix + _readable(str(entry.pattern))
        if path.startswith(ELSEWHERE):
            continue
        if isinstance(entry, URLResolver):
            if path == "/api/":
                continue
            yield from _walk(entry.url_patterns, path, extra)
        elif isinstance(entry, URLPattern):
            yield from _routes_of(entry, path)


def _readable(pattern: str) -> str:
    text = PARAMETER.sub(lambda match: "{%s}" % (match[1] or match[2]), pattern)
    return text.removeprefix("^").removesuffix("$").removesuffix("\\Z").replace("\\.", ".")


def _routes_of(entry: URLPattern, path: str) -> Iterator[Route]:
    view = entry.callback
    name = entry.name or ""
    if path.startswith((OLD, NEW)):
        yield from _api_routes(view, path, name)
        return
    if path.startswith("/admin/"):
        if name:  # without one it is an old address that leads to another
            yield Route(path, name, "admin", "GET", None, None, view)
        return
    if path.endswith("/{slug}/"):
        yield from _steps(view, path, name)
        return
    kind = "open" if path in OPEN or path in PERSONAL else "page"
    for method in _page_methods(view):
        yield Route(path, name, kind, method, getattr(view, "resource", None), getattr(view, "matrix_action", None), view)


def _api_routes(view: Any, path: str, name: str) -> Iterator[Route]:
    from core.api.permissions import matrix_action

    kind = "open" if path.replace(OLD, NEW) in OPEN | PERSONAL else "api-v1" if path.startswith(OLD) else "api"
    actions: dict[str, str] | None = getattr(view, "actions", None)
    methods = actions or {method: method for method in ("get", "post", "put", "patch", "delete") if hasattr(view.cls, method)}
    for method, action in methods.items():
        if method == "head":
            continue
        instance = view.cls(**getattr(view, "initkwargs", {}))
        instance.action = action
        resource = getattr(instance, "resource", None)
        yield Route(path, name, kind, method.upper(), resource, matrix_action(instance) if resource else None, view)


def _steps(view: Any, path: str, name: str) -> Iterator[Route]:
    """One address for each step of the visit's workflow; each has its own place in the matrix."""
    for action in TRANSITIONS:
        if action != "cancel":
            yield Route(path.replace("{slug}", action.replace("_", "-")), name, "page", "POST", "appointment", action, view)


def _page_methods(view: Any) -> list[str]:
    """The methods a page answers, as its decorator says; a page without one answers GET and POST."""
    allowed = getattr(view, "allowed_methods", None)
    return list(allowed) if allowed else ["GET", "POST"]
