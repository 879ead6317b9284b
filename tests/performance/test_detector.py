"""The detector sees what repeats itself and says where; a test that lets it happen fails, whatever it asserts."""

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import override_settings

from core.database import detector
from core.database.detector import Detector, Statistics, cost
from core.database.fingerprint import fingerprint
from core.database.roles import admin_url
from core.pages.development import StatementFooterMiddleware
from tests import conftest
from tests.factories import statements
from tests.performance import planted

HERE = "tests/performance/planted.py"


def line_of(function: Callable[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return next(first + number for number, line in enumerate(lines) if text in line)


def outcome_of(body: Callable[[], Any]) -> str:
    """What pytest is told of a test with this body; empty when it passes."""
    call = conftest.pytest_runtest_call(None)  # type: ignore[arg-type]
    next(call)
    body()
    try:
        call.send(None)
    except StopIteration:
        return ""
    except pytest.fail.Exception as failure:
        return str(failure)
    raise AssertionError("the hook neither passed nor failed")


# --- What fails a test ---------------------------------------------------------------------------------------------------
def test_a_planted_n_plus_one_is_named_with_file_and_line() -> None:
    said = outcome_of(lambda: planted.asked("/n/"))
    assert f"GET /n/ repeats a statement 7 times from {HERE}:{line_of(planted.ask, 'execute')}" in said
    assert "SELECT pg_typeof(%s)" in said


def test_a_request_without_repetition_passes() -> None:
    assert outcome_of(lambda: planted.asked("/nowhere/")) == ""


def test_a_template_that_asks_is_named_with_its_line() -> None:
    said = outcome_of(lambda: planted.asked("/template/"))
    assert f"asked while rendering, from {HERE}:{line_of(planted.ask, 'execute')}" in said


def test_a_template_that_reaches_a_relation_is_named_itself(tmp_path: Path) -> None:
    class Late:
        def __str__(self) -> str:
            with connection.cursor() as cursor:
                detector_site.append(detector.call_site(sys._getframe(), ("tests/performance/test_detector.py",)))
                cursor.execute("SELECT 1")
            return ""

    detector_site: list[str] = []
    from django.template import Context, Template
    from django.template.base import Origin

    page = Template("one\n\n{{ late }}", origin=Origin(name=str(settings.BASE_DIR / "templates/made_up.html")))
    with pytest.raises(statements.QueryWhileRendering):
        page.render(Context({"late": Late()}))
    assert detector_site == ["templates/made_up.html:3"]
    assert statements.take()


def test_a_serializer_that_asks_fails() -> None:
    assert "asked while rendering" in outcome_of(lambda: planted.asked("/serializer/"))


@pytest.mark.slow
def test_the_run_itself_fails() -> None:
    """A whole pytest of its own, on a database of its own."""
    if settings.EMBEDDED_POSTGRES is None:
        pytest.skip("needs the embedded PostgreSQL")
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:xdist", HERE],
            cwd=settings.BASE_DIR,
            env={**os.environ, "HMS_DATABASE_NAME": "hms_planted"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        with psycopg.connect(admin_url(), autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS hms_planted")
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"repeats a statement 7 times from {HERE}:{line_of(planted.ask, 'execute')}" in run.stdout


# --- What it counts ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('SELECT "a" FROM "t" WHERE "id" IN (%s, %s)', 'SELECT "a" FROM "t" WHERE "id" IN (%s, %s, %s)'),
        ('SELECT "a" FROM "t" LIMIT 21', 'SELECT "a" FROM "t" LIMIT 26'),
        ("SELECT 'Smith', 1.5", "SELECT 'O''Hara', 12"),
        ('INSERT INTO "t" ("a", "b") VALUES (%s, %s)', 'INSERT INTO "t" ("a", "b") VALUES (%s, %s), (%s, %s), (%s, %s)'),
        ("SELECT  1", "SELECT\n 1"),
    ],
)
def test_statements_that_differ_in_values_alone_are_one(one: str, other: str) -> None:
    assert fingerprint(one).digest == fingerprint(other).digest
    assert not re.search(r"Smith|Hara|\d", fingerprint(other).text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('SELECT "a" FROM "t1"', 'SELECT "a" FROM "t2"'),
        ('SELECT U0."a" FROM "t" U0', 'SELECT U1."a" FROM "t" U1'),
        ('SELECT "a" FROM "t" WHERE "x" = %s', 'SELECT "a" FROM "t" WHERE "x" IN (%s, %s)'),
    ],
)
def test_other_statements_are_others(one: str, other: str) -> None:
    assert fingerprint(one).digest != fingerprint(other).digest


def test_savepoints_are_not_counted_and_composed_sql_is() -> None:
    from psycopg import sql

    with Detector().on(connection) as seen, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {}").format(sql.Literal(1)))
    assert seen.count == 1


def test_a_failing_statement_is_counted_and_its_error_kept() -> None:
    from django.db.utils import ProgrammingError

    seen = Detector()
    with pytest.raises(ProgrammingError), transaction.atomic(), seen.on(connection), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")
    assert seen.count == 1 and seen not in connection.execute_wrappers


def test_a_repetition_begins_with_the_third_time() -> None:
    def so_often(times: int) -> list[detector.Repetition]:
        with Detector().on(connection) as seen:
            for number in range(times):
                planted.ask(number)
        return seen.repetitions()

    assert so_often(2) == []
    (one,) = so_often(3)
    assert (one.count, one.kind) == (3, "SELECT") and one.milliseconds > 0
    assert one.site == f"{HERE}:{line_of(planted.ask, 'execute')}"


# --- Whom it tells -------------------------------------------------------------------------------------------------------
def test_statistics_add_requests_up() -> None:
    statistics = Statistics()
    for times in (1, 4, 4):
        seen = Detector(lambda: "GET /somewhere")
        with seen.on(connection):
            for number in range(times):
                planted.ask(number)
        statistics.add(seen)
    said = statistics.snapshot()
    assert (said["requests"], said["statements"], said["repeating"]) == (3, 9, 2)
    (one,) = said["repetitions"]
    assert (one["route"], one["requests"], one["statements"]) == ("GET /somewhere", 2, 8)


def test_every_request_is_counted_by_its_route_and_not_by_its_path(client: Any) -> None:
    before = detector.statistics.snapshot()["requests"]
    answer = client.get("/health")
    assert answer.wsgi_request.statements.label() == "GET /health"
    assert detector.statistics.snapshot()["requests"] == before + 1


def test_development_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    with Detector(lambda: "GET /somewhere").on(connection) as seen:
        for number in range(4):
            planted.ask(number)
    detector.warn(seen)
    assert f"GET /somewhere repeats a statement 4 times from {HERE}" in caplog.text


def page_with_footer(html: str, content_type: str = "text/html; charset=utf-8") -> HttpResponse:
    with Detector().on(connection) as seen:
        for number in range(4):
            planted.ask(number)
    request: Any = type("Request", (), {"statements": seen})()

    def answer(_: Any) -> HttpResponse:
        made = HttpResponse(html, content_type=content_type)
        made["Content-Length"] = str(len(made.content))
        return made

    with override_settings(DEBUG=True):
        return StatementFooterMiddleware(answer)(request)


def test_a_page_in_development_says_what_it_asked() -> None:
    page = page_with_footer("<html><body><p>here</p></body></html>")
    assert "<summary>4 statements" in page.text and "4 times from" in page.text and page.text.endswith("</body></html>")
    assert page["Content-Length"] == str(len(page.content))
    assert "style=" not in page.text and "<script" not in page.text


@pytest.mark.parametrize(("html", "kind"), [("<p>a fragment</p>", "text/html"), ("</body>", "application/json")])
def test_nothing_else_is_touched(html: str, kind: str) -> None:
    assert page_with_footer(html, kind).text == html


def test_outside_of_development_there_is_no_footer() -> None:
    with pytest.raises(MiddlewareNotUsed):
        StatementFooterMiddleware(lambda _: HttpResponse())


def test_the_cost_can_be_measured() -> None:
    assert cost(statements=1200) > 0
