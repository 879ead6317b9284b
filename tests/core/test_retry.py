"""A unit of work that was turned down runs again, as a whole, and only where that is the whole."""

from threading import Barrier
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from psycopg import errors

from core.accounts.roles import Role
from core.database.retry import TRIES, retry
from core.tenancy.context import Scope, unit_of_work
from tests.factories.databases import another
from tests.factories.threads import apart
from tests.factories.world import Place

LOCK = "SELECT pg_advisory_xact_lock(%s)"


def refused(cause: Exception) -> OperationalError:
    error = OperationalError()
    error.__cause__ = cause
    return error


def test_two_units_that_deadlock_both_pass() -> None:
    """Real locks, taken crosswise: PostgreSQL turns one of the two down, and it runs again."""
    barrier = Barrier(2)
    runs: list[str] = []

    def crosswise(name: str, first: int, second: int) -> str:
        @retry
        def unit() -> str:
            with unit_of_work(Scope(reason="deadlock")), connection.cursor() as cursor:
                cursor.execute(LOCK, [first])
                runs.append(name)
                if len(runs) <= 2:
                    barrier.wait(20)
                cursor.execute(LOCK, [second])
            return name

        return unit()

    assert apart(lambda: crosswise("a", 71, 72), lambda: crosswise("b", 72, 71)) == ["a", "b"]
    assert len(runs) == 3


def test_a_unit_whose_connection_is_ended_passes_on_a_new_one() -> None:
    pids: list[int] = []

    @retry
    def unit() -> tuple[int, ...]:
        with unit_of_work(Scope(reason="retry")), connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
            if len(pids) == 1:
                end(pids[0])
            cursor.execute("SELECT 42")
            row: tuple[int, ...] = cursor.fetchone()
            return row

    with another("default"):
        assert unit() == (42,)
    assert len(set(pids)) == 2


def end(pid: int) -> None:
    """As an administrator, or a failover, ends a connection."""
    config = connections["default"].settings_dict
    where = {"host": config["HOST"], "port": config["PORT"] or None, "dbname": config["NAME"], "user": config["USER"]}
    with psycopg.connect(**where, password=config["PASSWORD"] or None, autocommit=True) as administrator:
        assert administrator.execute("SELECT pg_terminate_backend(%s)", [pid]).fetchone() == (True,)


@pytest.mark.parametrize("cause", [errors.DeadlockDetected(), errors.SerializationFailure(), errors.AdminShutdown()])
def test_the_last_try_says_what_is_wrong(cause: Exception) -> None:
    runs = []

    @retry
    def unit() -> None:
        runs.append(1)
        raise refused(cause)

    with pytest.raises(OperationalError):
        unit()
    assert len(runs) == TRIES


@pytest.mark.parametrize("error", [refused(errors.QueryCanceled()), refused(errors.LockNotAvailable()), KeyError()])
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    runs = []

    @retry
    def unit() -> None:
        runs.append(1)
        raise error

    with pytest.raises(type(error)):
        unit()
    assert runs == [1]


def test_it_refuses_to_be_a_part() -> None:
    @retry
    def unit() -> int:
        return 1

    @retry
    def around() -> int:
        return unit()

    with pytest.raises(RuntimeError, match="can't be part of another"):
        around()
    with another("default"):
        with transaction.atomic(), pytest.raises(RuntimeError, match="can't be part of another"):
            unit()
    assert unit() == 1


def test_a_safe_request_whose_connection_breaks_is_answered_all_the_same(riverside: Place, api: Any) -> None:
    client = apart(lambda: api(riverside.users[Role.RECEPTIONIST], riverside.clinic))[0]
    with another("default") as wrapper:
        broken = breaking(wrapper)
        assert client.get("patients").status_code == 200
        assert broken == ["patients"]


def test_an_unsafe_request_whose_connection_breaks_is_not_repeated(riverside: Place, api: Any) -> None:
    client = apart(lambda: api(riverside.users[Role.RECEPTIONIST], riverside.clinic))[0]
    with another("default") as wrapper:
        broken = breaking(wrapper)
        answer = client.post("patients/search", {"search": "nobody"})
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert broken == ["patients"]


def breaking(wrapper: Any) -> list[str]:
    """End the connection at its first statement about patients; the list tells that this has happened."""
    broken: list[str] = []

    def break_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "patients_patient" in sql and not broken:
            broken.append("patients")
            end(context["connection"].connection.info.backend_pid)
        return execute(sql, params, many, context)

    wrapper.execute_wrappers.append(break_once)
    return broken


# --- Limits, as a client meets them ------------------------------------------------------------------------------------------
def test_a_statement_over_its_limit_is_a_503_and_a_lock_a_409(riverside: Place, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.tenancy.limits import Limits

    client = apart(lambda: api(riverside.users[Role.RECEPTIONIST], riverside.clinic))[0]

    def slowly(statement: str) -> Any:
        def first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "patients_patient" in sql:
                execute(statement, None, False, context)
            return execute(sql, params, many, context)

        return first

    monkeypatch.setitem(settings.HMS_TIME_LIMITS, "api", Limits(2000, 50))
    with another("default") as wrapper:
        with wrapper.execute_wrapper(slowly("SELECT pg_sleep(5)")):
            late = client.get("patients")
        assert (late.status_code, late.json()["error"]["code"], late["Retry-After"]) == (503, "SERVICE_UNAVAILABLE", "5")
        with another("holder") as holder, transaction.atomic(using="holder"):
            with holder.cursor() as cursor:
                cursor.execute(LOCK, [81])
            with wrapper.execute_wrapper(slowly("SELECT pg_advisory_xact_lock(81)")):
                busy = client.get("patients")
        assert (busy.status_code, busy.json()["error"]["code"], busy["Retry-After"]) == (409, "CONFLICT", "1")
        assert client.get("patients").status_code == 200
