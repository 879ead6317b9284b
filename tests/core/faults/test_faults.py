"""Errors of HMS itself, grouped: noted in memory, written down together, judged by people."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError, connections, transaction
from django.test import Client
from django.utils import timezone

from core.accounts.actor import Actor
from core.accounts.roles import Role
from core.database.detector import Detector
from core.errors import NotAllowed
from core.faults.collecting import MOST_CLINICS, MOST_PLACES, MOST_REQUESTS, Collector, Where, collector
from core.faults.models import Fault
from core.faults.noticing import FaultFilter, surroundings
from core.faults.services import judge_fault
from core.faults.shapes import shape_of
from core.faults.writing import write_down
from core.logs import naming
from core.metrics.ledgers import faults as figures
from core.tenancy.context import Scope, entered
from patients.models import Patient
from tests.core.test_logs import lines_of
from tests.factories.patience import eventually
from tests.factories.patients import patient_data
from tests.factories.server import database_of_its_own, serving
from tests.factories.world import Place, World

NAME, PHONE = "Quetzalwin", "+447700900987"


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    collector.take()
    yield
    collector.take()


def raised(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("Nothing was raised.")


def fails_with(text: str) -> None:
    raise ValueError(text)


def fails_elsewhere(text: str) -> None:
    raise ValueError(text)


# --- What makes two the same ---------------------------------------------------------------------------------------------
def test_the_same_place_and_type_is_the_same_fault_whatever_the_value() -> None:
    one, other = (shape_of(raised(partial(fails_with, text))) for text in (NAME, PHONE))
    assert one == other
    assert (one.error, one.place) == ("ValueError", "tests/core/faults/test_faults.py:fails_with")
    assert shape_of(raised(lambda: fails_elsewhere(NAME))).fingerprint != one.fingerprint
    assert NAME not in repr(one)


def test_a_library_that_fails_is_named_by_who_called_it() -> None:
    shape = shape_of(raised(lambda: json.loads("{")))
    assert shape.error == "json.decoder.JSONDecodeError"
    assert shape.place.startswith("tests/core/faults/test_faults.py:test_a_library_that_fails")


def test_numbers_in_what_the_interpreter_says_make_no_difference() -> None:
    def wants_one(given: object) -> None: ...

    def call(count: int) -> None:
        wants_one(*range(count))

    shapes = {shape_of(raised(lambda: call(count))).fingerprint for count in (2, 3)}  # noqa: B023
    assert len(shapes) == 1


def test_of_the_database_only_the_schema_is_told(in_riverside: Place) -> None:
    data = patient_data(family_name=NAME, phone=PHONE, mrn="X-77")
    Patient.objects.create(**data)

    def again() -> None:
        with transaction.atomic():
            Patient.objects.create(**data)

    error = raised(again)
    assert isinstance(error, IntegrityError)
    assert shape_of(error).message == "23505 patients_patient patients_mrn_once"


# --- Collecting ----------------------------------------------------------------------------------------------------------
def test_memory_is_bounded_and_what_is_left_out_is_counted() -> None:
    own = Collector(most=2)
    kinds = [type(f"Odd{number}", (Exception,), {}) for number in range(3)]
    for kind in kinds:
        own.note(kind(), Where("web"))
    for number in range(1000):
        own.note(kinds[0](), Where("web", f"GET /{number}", str(uuid4()), f"request-{number}"))
    found = own.take()
    assert [one.count for one in found] == [1001, 1] and own.uncounted == 1
    assert (len(found[0].clinics), len(found[0].names), len(found[0].requests)) == (MOST_CLINICS, MOST_PLACES, MOST_REQUESTS)
    assert found[0].requests[-1] == "request-999"
    assert own.take() == []


def test_what_is_given_back_is_added_to_what_came_meanwhile() -> None:
    own = Collector()
    error = raised(lambda: fails_with(NAME))
    own.note(error, Where("web", "GET /a", request_id="first"))
    kept = own.take()
    own.note(error, Where("web", "GET /b", request_id="second"))
    own.give_back(kept)
    (one,) = own.take()
    assert (one.count, one.names, one.requests) == (2, ["GET /a", "GET /b"], ["first", "second"])


def test_many_threads_lose_nothing() -> None:
    own, error = Collector(), raised(lambda: fails_with(NAME))
    threads = [threading.Thread(target=lambda: [own.note(error, Where("web")) for _ in range(200)]) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert own.take()[0].count == 1600


# --- Noticing ------------------------------------------------------------------------------------------------------------
def test_an_error_that_is_logged_is_noted_once_and_the_line_names_it() -> None:
    logger = logging.getLogger("core.somewhere")
    with lines_of() as found:
        error = raised(lambda: fails_with(NAME))
        logging.getLogger().handlers[-1].filters.insert(0, FaultFilter())
        logger.error("It failed.", exc_info=error)
        logger.warning("It will be tried again.", exc_info=error)
        logger.error("Something is odd.")
    said = [json.loads(line).get("fault") for line in found]
    (seen,) = collector.take()
    assert said == [seen.shape.fingerprint, None, None]
    assert seen.count == 1
    assert NAME not in seen.traceback and "fails_with" in seen.traceback


@pytest.mark.parametrize(
    ("around", "wanted"),
    [
        ({"job_kind": "messages.send"}, Where("job", "messages.send", request_id="check-0001")),
        ({}, Where("command", sys.argv[1] if len(sys.argv) > 1 else "", request_id="check-0001")),
    ],
)
def test_jobs_and_commands_are_told_apart(around: dict[str, str], wanted: Where) -> None:
    with entered(Scope(request_id="check-0001")), naming(**around):
        assert surroundings() == wanted


def _serve_what_fails(settings: Any) -> None:
    """Uncounted: the metrics of this process have names of real routes alone."""
    settings.ROOT_URLCONF = "tests.core.faults.failing_urls"
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "metrics" not in one]


def test_a_request_that_fails_is_a_fault_of_its_route(settings: Any) -> None:
    _serve_what_fails(settings)
    client = Client(raise_request_exception=False)
    answer = client.get(f"/fails/{NAME}/", headers={"X-Request-ID": "check-0003"})
    assert answer.status_code == 500
    (seen,) = collector.take()
    assert (seen.kind, seen.names, seen.requests) == ("web", ["GET /fails/<str:name>/"], ["check-0003"])
    assert seen.shape.error == "ValueError" and NAME not in repr(seen)


def test_trouble_with_the_database_is_no_fault(settings: Any) -> None:
    _serve_what_fails(settings)
    assert Client(raise_request_exception=False).get("/away/").status_code == 503
    assert collector.take() == []


# --- Writing -------------------------------------------------------------------------------------------------------------
def note(times: int = 1, **where: str) -> str:
    error = raised(lambda: fails_with(NAME))
    for _ in range(times - 1):
        collector.note(error, Where("web", **where))
    return collector.note(error, Where("web", **where))


def test_it_is_one_row_however_often_it_comes() -> None:
    first, other = str(uuid4()), str(uuid4())
    note(3, name="GET /a", clinic_id=first, request_id="one")
    with Detector().on() as watched:
        assert write_down() == 3
    assert watched.count == 1
    note(2, name="GET /b", clinic_id=other, request_id="two")
    note(1, name="GET /a", clinic_id=first)
    assert write_down() == 3
    with Detector().on() as watched:
        assert write_down() == 0
    assert watched.count == 0
    fault = Fault.objects.get()
    assert (fault.count, fault.state, fault.kind) == (6, "open", "web")
    assert {str(one) for one in fault.in_clinics} == {first, other}
    assert sorted(fault.names) == ["GET /a", "GET /b"] and fault.request_ids == ["one", "two"]
    assert fault.first_seen < fault.last_seen <= timezone.now()
    assert NAME not in json.dumps(list(Fault.objects.values()), default=str)


def test_what_a_row_names_is_bounded() -> None:
    for _ in range(2):
        for number in range(60):
            note(name=f"GET /{uuid4().hex}", clinic_id=str(uuid4()), request_id=f"request-{number}")
        write_down()
    fault = Fault.objects.get()
    assert (len(fault.in_clinics), len(fault.names), len(fault.request_ids)) == (MOST_CLINICS, MOST_PLACES, MOST_REQUESTS)
    assert fault.request_ids[-1] == "request-59"


def test_while_the_database_is_away_it_waits() -> None:
    note(2)
    with pytest.raises(OperationalError), DatabaseAway():
        write_down()
    note(1)
    assert write_down() == 3
    assert Fault.objects.get().count == 3


class DatabaseAway:
    """Every statement of this thread fails as it does when the server has gone."""

    def __enter__(self) -> None:
        def fail(*_: Any) -> None:
            raise OperationalError from psycopg.OperationalError()

        self.wrapper = connections["default"].execute_wrapper(fail)
        self.wrapper.__enter__()

    def __exit__(self, *about: Any) -> None:
        self.wrapper.__exit__(*about)


# --- Judging -------------------------------------------------------------------------------------------------------------
def judged(world: World, fault: Fault, state: Fault.State, role: Role = Role.SYSTEM_ADMIN) -> None:
    user = world.platform[role]
    judge_fault(actor=Actor(user.pk, user.full_name, None, frozenset({role})), fault_id=fault.pk, state=state)


def test_one_that_was_resolved_opens_when_it_comes_back(world: World) -> None:
    note()
    write_down()
    fault = Fault.objects.get()
    judged(world, fault, Fault.State.RESOLVED)
    fault.refresh_from_db()
    assert (fault.state, fault.changed_by) == ("resolved", world.platform[Role.SYSTEM_ADMIN])
    note()
    write_down()
    fault.refresh_from_db()
    assert (fault.state, fault.came_back) == ("open", 1)


def test_what_happened_before_it_was_resolved_opens_nothing(world: World) -> None:
    note()
    write_down()
    note()  # written later than it is judged
    fault = Fault.objects.get()
    judged(world, fault, Fault.State.RESOLVED)
    write_down()
    fault.refresh_from_db()
    assert (fault.state, fault.count) == ("resolved", 2)


def test_one_that_is_ignored_is_counted_and_stays_closed(world: World) -> None:
    note()
    write_down()
    judged(world, Fault.objects.get(), Fault.State.IGNORED)
    note()
    write_down()
    fault = Fault.objects.get()
    assert (fault.state, fault.count) == ("ignored", 2)


def test_support_may_look_and_not_judge(world: World) -> None:
    note()
    write_down()
    with pytest.raises(NotAllowed):
        judged(world, Fault.objects.get(), Fault.State.RESOLVED, Role.SUPPORT)


def test_they_are_judged_from_the_list(world: World, sign_in: Any) -> None:
    note()
    write_down()
    client, fault = sign_in(world.platform[Role.SYSTEM_ADMIN]), Fault.objects.get()
    answer = client.post("/admin/core/fault/", {"action": "resolve", "_selected_action": [str(fault.pk)]}, follow=True)
    assert b"1 faults resolved." in answer.content
    fault.refresh_from_db()
    assert fault.state == "resolved"
    assert b"fails_with" in client.get(f"/admin/core/fault/{fault.pk}/change/").content


def test_figures_count_by_kind() -> None:
    note(4)
    write_down()
    total, still = figures()
    assert total.name == "hms_faults_total" and total.values[("web",)] == 4 and total.values[("job",)] == 0
    assert still.values[("web",)] == 1


# --- Processes -----------------------------------------------------------------------------------------------------------
def test_a_command_that_fails_writes_it_down(django_db_setup: None) -> None:
    with database_of_its_own("faults") as (environment, admin):
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", "1 / 0"]
        done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
        with psycopg.connect(admin) as connection:
            found = connection.execute("SELECT kind, error, names, count FROM core_fault").fetchall()
    assert found == [("command", "ZeroDivisionError", ["shell"], 1)]


def test_a_server_keeps_what_it_can_not_write_and_writes_it_later(django_db_setup: None) -> None:
    with serving("faults_kept", static=False, variables={"HMS_DEMO": "0"}) as server, server.connect("hms_owner") as owner:
        owner.autocommit = True
        for table in ("core_user", "core_fault"):
            owner.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
        given = {"email": f"{NAME}@example.org", "password": "Correct-Horse-2026"}
        asked = httpx.post(f"{server.url}/api/v2/auth/token", json=given, headers={"X-Request-ID": "check-0005"}, timeout=30)
        assert asked.status_code == 500
        eventually(lambda: "Faults wait to be written" in server.log.read_text())
        for table in ("core_user", "core_fault"):
            owner.execute(f"ALTER TABLE {table}_away RENAME TO {table}")
        columns = "kind, error, message, names, request_ids, count"
        rows = eventually(lambda: owner.execute(f"SELECT {columns} FROM core_fault").fetchall())
        assert NAME.casefold() not in server.log.read_text().casefold()
    assert len(rows) == 1
    kind, error, message, names, requests, count = rows[0]
    assert (kind, error, message, requests, count) == ("web", "django.db.utils.ProgrammingError", "42P01", ["check-0005"], 1)
    assert names[0].startswith("POST /api/") and names[0].endswith("auth/token")
