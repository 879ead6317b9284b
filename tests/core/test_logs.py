"""Log lines: what stands in each, parsed as machines parse it."""

import io
import json
import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client

from core.accounts.roles import Role
from core.logs import formatter, naming, style_of
from core.redaction import HIDDEN, RedactingFilter
from core.tenancy.context import Scope, entered
from tests.factories.server import serving
from tests.factories.world import Place

NAME = "Quetzalwin"
IDS = {"request_id": "check-0001", "user_id": str(uuid.UUID(int=7)), "clinic_id": str(uuid.UUID(int=9))}


@contextmanager
def lines_of(style: str = "json", name: str = "") -> Iterator[list[str]]:
    """What is logged meanwhile, through a handler such as the settings have."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(formatter(style))
    logger, found = logging.getLogger(name), list[str]()
    logger.addHandler(handler)
    before, logger.level = logger.level, logging.DEBUG
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        found += stream.getvalue().splitlines()


def request_lines(found: list[str]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, found) if line["logger"] == "hms.requests"]


def test_a_line_is_an_object_with_time_level_logger_and_whose_it_is() -> None:
    scope = Scope(uuid.UUID(int=9), uuid.UUID(int=7), "check-0001")
    with lines_of() as found, entered(scope), naming(job_id="j-1", job_kind="core.test"):
        logging.getLogger("core.somewhere").warning("%d were left", 3, extra={"left": 3, "held": object()})
    (line,) = map(json.loads, found)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "warning",
        "logger": "core.somewhere",
        "event": "3 were left",
        **IDS,
        "job_id": "j-1",
        "job_kind": "core.test",
        "left": 3,
    }


def test_redaction_has_the_last_word_over_all_that_a_record_brings() -> None:
    with lines_of() as found:
        try:
            int(NAME)
        except ValueError:
            logging.getLogger("a.library").exception("call %s", "+447700900987", extra={"to": "quetzalwin@example.org"})
    (line,) = map(json.loads, found)
    assert (line["event"], line["to"]) == (f"call {HIDDEN}", HIDDEN)
    assert "ValueError" in line["exception"] and "test_logs.py" in line["exception"]
    assert NAME not in found[0]


def test_no_line_break_of_a_message_makes_a_line_of_its_own() -> None:
    with lines_of() as found:
        logging.getLogger("core").warning('one\n{"level": "forged"}')
    assert len(found) == 1


def test_on_a_terminal_it_is_to_be_read() -> None:
    with lines_of("console") as found:
        logging.getLogger("core").warning("Something waits.", extra={"seconds": 3})
    assert "Something waits." in found[0] and "warning" in found[0] and not found[0].startswith("{")


@pytest.mark.parametrize(
    ("said", "development", "is_command", "style"),
    [("", False, False, "json"), ("", True, False, "console"), ("json", True, True, "json"), ("console", False, False, "console")],
)
def test_which_form_it_has(said: str, development: bool, is_command: bool, style: str) -> None:
    assert style_of(said, development=development, is_command=is_command) == style


def test_the_settings_own_handler_writes_this_form() -> None:
    handler = next(one for one in logging.getLogger().handlers if one.get_name() == "console")
    assert type(handler.formatter) is type(formatter("json"))
    assert set(settings.LOGGING["loggers"]) >= {"django", "httpx"}


# --- Requests ----------------------------------------------------------------------------------------------------------------
def test_an_answered_request_is_one_line_with_its_figures(riverside: Place, sign_in: Any, settings: Any) -> None:
    settings.HMS_REQUEST_LOG = True
    person = riverside.users[Role.RECEPTIONIST]
    client = sign_in(person, riverside.clinic)
    patient = riverside.patients[0]
    with lines_of() as found:
        answer = client.get(f"/api/v2/patients/{patient.pk}?fields=id", headers={"X-Request-ID": "check-0002"})
    assert answer.status_code == 200
    (line,) = request_lines(found)
    assert line["request_id"] == "check-0002"
    assert line["user_id"] == str(person.pk) and line["clinic_id"] == str(riverside.clinic.pk)
    assert (line["method"], line["status"], line["level"]) == ("GET", 200, "info")
    assert line["route"].startswith("/api/") and str(patient.pk) not in line["route"]
    assert line["ms"] > 0 and line["queries"] >= 1 and 0 < line["db_ms"] <= line["ms"]
    assert "fields" not in found[-1]


def test_a_stranger_has_no_ids_and_no_route_is_no_path(settings: Any) -> None:
    settings.HMS_REQUEST_LOG = True
    with lines_of() as found:
        Client().get("/no/such/Quetzalwin?name=Quetzalwin")
    (line,) = request_lines(found)
    assert line["status"] == 404
    assert not line.keys() & {"user_id", "clinic_id", "route"}
    assert "Quetzalwin" not in json.dumps(line)


def test_probes_are_told_only_when_they_fail(settings: Any) -> None:
    settings.HMS_REQUEST_LOG = True
    with lines_of() as found:
        Client().get("/health/live")
    assert [line["level"] for line in request_lines(found)] == ["debug"]


def test_it_can_be_switched_off(settings: Any) -> None:
    settings.HMS_REQUEST_LOG = False
    with lines_of() as found:
        Client().get("/sign-in/")
    assert not request_lines(found)


def test_every_line_of_a_server_is_an_object(django_db_setup: None) -> None:
    """Gunicorn's own too."""
    with serving("logs", static=False, variables={"HMS_DEMO": "0", "DEBUG": "0"}) as server:
        for path in ("/api/v2/auth/me", "/no/such/"):
            httpx.get(f"{server.url}{path}", timeout=30)
    said = [json.loads(line) for line in server.log.read_text().splitlines() if line.strip()]
    assert {"gunicorn.error", "hms.requests"} <= {line["logger"] for line in said}
    assert {line["status"] for line in said if line["logger"] == "hms.requests"} >= {401, 404}
