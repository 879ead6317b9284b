"""HMS's addresses, and two that no installation has."""

import threading
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from core.security.limiting.classes import RouteClass, route_class
from hms.urls import urlpatterns as of_hms

KEPT: list[Any] = []


class Leaked:
    """What nobody lets go of."""

    def __init__(self, kilobytes: int) -> None:
        self.kept = bytearray(kilobytes * 1024)  # LEAK


@route_class(RouteClass.FREE)
def leak(request: HttpRequest, kilobytes: int) -> HttpResponse:
    KEPT.append(Leaked(kilobytes))
    return JsonResponse({"kept": len(KEPT)})


@route_class(RouteClass.FREE)
def slow(request: HttpRequest) -> HttpResponse:
    threading.Event().wait(0.3)
    return JsonResponse({"slow": True})


urlpatterns = [path("leak/<int:kilobytes>", leak), path("slow", slow), *of_hms]
