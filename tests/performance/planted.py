"""Faults on purpose. Not collected; test_detector.py runs them to see that the run fails and names the line."""

from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, override_settings
from django.urls import path
from rest_framework import serializers

MANY = 7


def n_plus_one(request: HttpRequest) -> HttpResponse:
    for number in range(MANY):
        ask(number)  # the loop that a reader has to be sent to
    return HttpResponse("done")


def ask(number: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_typeof(%s)", [number])
        return cursor.fetchone()


def lazy_template(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template("one\n{{ ask }}").render(Context({"ask": lambda: ask(1)})))


class Lazy(serializers.Serializer[Any]):
    asked = serializers.SerializerMethodField()

    def get_asked(self, row: Any) -> str:
        return str(ask(1))


def lazy_serializer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Lazy(object()).data))


urlpatterns = [path("n/", n_plus_one), path("template/", lazy_template), path("serializer/", lazy_serializer)]


def asked(address: str) -> HttpResponse:
    with override_settings(ROOT_URLCONF="tests.performance.planted"):
        return Client(raise_request_exception=False).get(address)


def test_that_forgets_to_plan() -> None:
    assert asked("/n/").status_code == 200
