"""A database that is away is said as such: 503, come back soon; for people and machines."""

import pytest
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from core.pages.errors import server_error


def answer_to(path: str, error: Exception) -> HttpResponse:
    request = RequestFactory().get(path)
    request.request_id, request.actor, request.clinic, request.memberships = "request-0001", None, None, []  # type: ignore[attr-defined]
    try:
        raise error
    except Exception:
        return server_error(request)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
@pytest.mark.parametrize("path", ["/", "/api/v2/patients", "/health"])
def test_a_database_that_is_away_is_no_fault(path: str, error: Exception) -> None:
    response = answer_to(path, error)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"gone" not in response.content
    assert (b"SERVICE_UNAVAILABLE" in response.content) == (path != "/")


def test_a_fault_of_ours_stays_one() -> None:
    assert answer_to("/api/v2/patients", ZeroDivisionError()).status_code == 500
