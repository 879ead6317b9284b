"""Addresses that fail, for tests."""

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path

from hms.urls import handler400, handler403, handler404, handler500
from hms.urls import urlpatterns as own

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def fails(request: HttpRequest, name: str) -> HttpResponse:
    raise ValueError(name)


def away(request: HttpRequest) -> HttpResponse:
    raise OperationalError


urlpatterns = [*own, path("fails/<str:name>/", fails), path("away/", away)]
