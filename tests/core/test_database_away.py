"""A database that is away is said as such: 503, come back soon; for people and machines, and at once."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connections
from django.http import HttpResponse
from django.test import Client, RequestFactory
from psycopg import errors
from psycopg_pool import PoolTimeout

from core.accounts.roles import Role
from core.database.backend.driver import NotConnected
from core.database.breaker import DatabaseAway
from core.database.trouble import TroubleFilter, is_transient
from core.pages.errors import server_error
from tests.factories.databases import no_database
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place


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


def wrapped(cause: Exception) -> OperationalError:
    """As Django raises it."""
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "status", "again", "transient"),
    [
        (errors.QueryCanceled("SECRET"), 503, "5", False),
        (errors.LockNotAvailable("SECRET"), 409, "1", False),
        (errors.DeadlockDetected("SECRET"), 409, "1", True),
        (errors.SerializationFailure("SECRET"), 409, "1", True),
        (errors.AdminShutdown("SECRET"), 503, "5", True),
        (errors.DiskFull("SECRET"), 503, "5", False),
        (DatabaseAway("SECRET"), 503, "5", False),
        (NotConnected("SECRET"), 503, "5", False),
        (PoolTimeout("SECRET"), 503, "5", False),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v2/patients"])
def test_each_trouble_has_its_answer(path: str, cause: Exception, status: int, again: str, transient: bool) -> None:
    response = answer_to(path, wrapped(cause))
    assert (response.status_code, response["Retry-After"]) == (status, again)
    assert b"SECRET" not in response.content
    assert is_transient(wrapped(cause)) is transient


def test_trouble_is_one_line_in_the_log_and_what_the_breaker_refused_is_none() -> None:
    def record(error: Exception) -> logging.LogRecord:
        info = (type(error), error, None)
        return logging.LogRecord("django.request", logging.ERROR, "", 1, "Internal Server Error: %s", ("/x",), info)

    slow, refused, ours = record(wrapped(errors.QueryCanceled("SECRET"))), record(wrapped(DatabaseAway())), record(KeyError("x"))
    assert TroubleFilter().filter(slow)
    assert (slow.getMessage(), slow.exc_info) == ("Trouble with the database: QueryCanceled", None)
    assert not TroubleFilter().filter(refused)
    assert TroubleFilter().filter(ours)
    assert ours.exc_info


@pytest.fixture
def away(world: Any) -> Iterator[Callable[[], None]]:
    """HMS without its database until the function is called; then its breaker has closed again."""
    with no_database("default", "platform") as come_back:
        breakers = [connections[alias].guard.breaker for alias in ("default", "platform")]

        def back() -> None:
            come_back()
            eventually(lambda: not any(one.state.is_open for one in breakers))

        yield back


def test_without_a_database_everybody_is_told_and_afterwards_served(
    riverside: Place, sign_in: Any, api: Any, request: pytest.FixtureRequest
) -> None:
    user = riverside.users[Role.RECEPTIONIST]
    machine, person = apart(lambda: (api(user, riverside.clinic), sign_in(user)))[0]
    person.raise_request_exception = False
    back = request.getfixturevalue("away")
    for _ in range(2):  # the first opens the breaker
        answer = machine.get("patients")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        page = person.get("/")
        assert (page.status_code, page["Retry-After"]) == (503, "5")
        assert "A short break" in page.text
        health = Client().get("/health")
        assert (health.status_code, health["Retry-After"]) == (503, "5")
        assert health.json() == {"status": "unavailable", "failing": ["database"]}
    back()
    assert machine.get("patients").status_code == 200
    assert Client().get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/sign-in/", "/api/schema/", "/api/docs/", "/nowhere/"])
def test_what_needs_no_database_works_without_one(away: Callable[[], None], path: str) -> None:
    stranger = Client(raise_request_exception=False)
    stranger.get("/health")  # opens the breaker
    assert stranger.get(path).status_code == (404 if path == "/nowhere/" else 200)
