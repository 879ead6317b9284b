"""Of which class a route is: said once, at the view."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

READING = ("GET", "HEAD", "OPTIONS")


class RouteClass(StrEnum):
    """`USUAL` needs no word: strangers count by their address, people by themselves. The others count apart or beside it."""

    USUAL = "usual"
    FREE = "free"  # not limited: the health check
    AUTH = "auth"  # the API's sign-in: by address whoever asks, and by account in the view
    SIGN_IN = "sign-in"  # the page where people sign in: its loads apart from all else that strangers ask
    UPLOAD = "upload"  # beside the usual; the form that is filled in before is none
    SEARCH = "search"  # beside the usual: where the API finds and lists patients
    SEARCH_PAGE = "search page"  # beside the usual: where pages do; counted by django-ratelimit (core.security.limiting.forms)
    HEAVY = "heavy"  # beside the usual
    REFRESH = "refresh"  # the person whose token it is; whoever has none, as AUTH


def route_class[View: Callable[..., Any]](kind: RouteClass) -> Callable[[View], View]:
    """A page's decorator. An API view has the attribute `route_class`, a view set also `route_classes` by action."""

    def decorate(view: View) -> View:
        view.route_class = kind  # type: ignore[attr-defined]
        return view

    return decorate


def class_of(view: Any, method: str) -> RouteClass:
    """The class that a view names for a method (GET, POST, …)."""
    shape = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
    method = "GET" if method == "HEAD" else method
    own: dict[str, RouteClass] = getattr(shape, "route_classes", {})
    action = getattr(view, "actions", {}).get(method.lower(), "") if own else ""
    named: RouteClass = own.get(action, getattr(shape, "route_class", RouteClass.USUAL))
    return RouteClass.USUAL if named is RouteClass.UPLOAD and method in READING else named


def has_class(view: Any) -> bool:
    """Does the view name any class?"""
    shape = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
    return hasattr(shape, "route_class") or hasattr(shape, "route_classes")
