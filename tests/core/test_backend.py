"""The database engine: late connections, deadlines, the breaker, commits that can't be mistaken."""

import os
import subprocess
import sys

import pytest
from django.contrib.postgres.signals import get_citext_oids, get_hstore_oids
from django.core.management import call_command
from django.db import InternalError, OperationalError, connections, transaction

from core.database.backend.base import DatabaseWrapper
from core.database.backend.driver import DatabaseStalled
from core.database.breaker import Breaker, DatabaseAway
from core.database.pool import breaker_statistics, pool_statistics
from core.tenancy.context import Scope, clinic_scope, unit_of_work
from core.tenancy.limits import Limits
from tests.factories.databases import another, no_database
from tests.factories.patience import eventually
from tests.factories.world import Place

STATE = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"


def ask(wrapper: DatabaseWrapper, question: str) -> tuple[object, ...]:
    with wrapper.cursor() as cursor:
        cursor.execute(question)
        row: tuple[object, ...] = cursor.fetchone()
        return row


# --- A transaction begins with its first statement -----------------------------------------------------------------------
def test_a_transaction_in_which_nothing_is_asked_takes_no_connection() -> None:
    committed = []
    with another() as wrapper:
        with transaction.atomic(using="another"):
            transaction.on_commit(lambda: committed.append(1), using="another")
            assert wrapper.in_atomic_block
        assert wrapper.connection is None
        assert committed == [1]


def test_a_transaction_whose_connection_comes_late_is_one() -> None:
    with another() as wrapper:
        with pytest.raises(ZeroDivisionError), transaction.atomic(using="another"):
            ask(wrapper, "SELECT set_config('hms.reason', 'kept?', false)")
            assert not wrapper.get_autocommit()
            with transaction.atomic(using="another"):  # a savepoint
                assert ask(wrapper, "SELECT pg_current_xact_id_if_assigned() IS NULL")
            raise ZeroDivisionError
        assert ask(wrapper, "SELECT coalesce(current_setting('hms.reason', true), '')") == ("",)
        assert wrapper.get_autocommit()
        with transaction.atomic(using="another"):
            first = ask(wrapper, "SELECT pg_current_xact_id()::text")
            assert ask(wrapper, "SELECT pg_current_xact_id()::text") == first
        assert ask(wrapper, "SELECT pg_current_xact_id()::text") != first


def test_what_is_to_happen_after_the_commit_survives_the_late_connection() -> None:
    happened = []
    with another() as wrapper:
        with transaction.atomic(using="another"):
            transaction.on_commit(lambda: happened.append("before"), using="another")
            ask(wrapper, "SELECT 1")
            transaction.on_commit(lambda: happened.append("after"), using="another")
            assert happened == []
        assert happened == ["before", "after"]


def test_a_savepoint_may_come_first() -> None:
    with another() as wrapper:
        with transaction.atomic(using="another"):
            with pytest.raises(ZeroDivisionError), transaction.atomic(using="another"):
                raise ZeroDivisionError
            assert ask(wrapper, "SELECT 1") == (1,)


def test_a_connection_that_can_not_be_made_leaves_the_transaction_as_it_was() -> None:
    with no_database("another") as come_back:
        wrapper = connections["another"]
        with transaction.atomic(using="another"):
            with pytest.raises(OperationalError):
                ask(wrapper, "SELECT 1")
            assert wrapper.in_atomic_block
            come_back()
            eventually(lambda: not wrapper.guard.breaker.state.is_open)
            first = ask(wrapper, "SELECT pg_current_xact_id()::text")
            assert ask(wrapper, "SELECT pg_current_xact_id()::text") == first
        assert wrapper.get_autocommit()


def test_the_first_statement_of_a_process_knows_the_clinic(riverside: Place) -> None:
    """The first connection of an alias asks for types of its own; the context has to come after that, in the transaction."""
    for known in (get_hstore_oids, get_citext_oids):
        known.cache_clear()
    with another("default") as wrapper, clinic_scope(riverside.clinic, reason="first"):
        assert ask(wrapper, "SELECT current_setting('hms.clinic_id', true)") == (str(riverside.clinic.pk),)


# --- Breaker and deadline ------------------------------------------------------------------------------------------------
def test_the_breaker_opens_when_the_server_is_away_and_closes_by_itself() -> None:
    with no_database("another") as come_back:
        wrapper = connections["another"]
        breaker = wrapper.guard.breaker
        assert not breaker.state.is_open
        with pytest.raises(OperationalError) as first:
            ask(wrapper, "SELECT 1")
        assert not isinstance(first.value.__cause__, DatabaseAway)
        assert breaker.state.is_open
        with pytest.raises(OperationalError) as second:
            ask(wrapper, "SELECT 1")
        assert isinstance(second.value.__cause__, DatabaseAway)
        assert (breaker.state.opened, breaker.state.refused) == (1, 1)
        come_back()
        eventually(lambda: not breaker.state.is_open)
        assert ask(wrapper, "SELECT 1") == (1,)


@pytest.mark.parametrize("wrong", [{"USER": "hms_nobody"}, {"NAME": "hms_no_database"}])
def test_a_role_that_is_not_let_in_closes_the_server_to_nobody_else(wrong: dict[str, str]) -> None:
    guarded = {"deadline": 5.0, "breaker": True}
    with another(GUARD=guarded, **wrong) as wrapper, another("other", GUARD=guarded) as other:
        with pytest.raises(OperationalError):
            ask(wrapper, "SELECT 1")
        assert wrapper.guard.breaker.state.is_open
        assert ask(other, "SELECT 1") == (1,)
        wrapper.guard.breaker.close()


def test_a_probe_that_fails_for_another_reason_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([OSError("too many open files"), None])

    def probe() -> None:
        if isinstance(error := next(answers), OSError):
            raise error

    breaker = Breaker("tried")
    breaker.open("a test", probe)
    eventually(lambda: not breaker.state.is_open)
    assert "goes on" in caplog.text


def test_who_gets_no_answer_in_time_closes_the_connection_and_opens_the_breaker() -> None:
    with another(GUARD={"deadline": 1.0, "breaker": True}) as wrapper:
        breaker = wrapper.guard.breaker
        opened = breaker.state.opened
        with pytest.raises(OperationalError) as caught:
            ask(wrapper, "SELECT pg_sleep(3)")
        assert isinstance(caught.value.__cause__, DatabaseStalled)
        assert wrapper.connection.closed
        assert breaker.state.opened == opened + 1
        wrapper.close()
        eventually(lambda: not breaker.state.is_open)  # this server does answer
        assert ask(wrapper, "SELECT 1") == (1,)


def test_one_broken_connection_does_not_open_the_breaker() -> None:
    with another(GUARD={"deadline": 5.0, "breaker": True}) as wrapper:
        breaker = wrapper.guard.breaker
        with pytest.raises(OperationalError):
            ask(wrapper, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert not breaker.state.is_open
        wrapper.close()
        assert ask(wrapper, "SELECT 1") == (1,)


# --- Limits ----------------------------------------------------------------------------------------------------------------
def test_limits_hold_outside_of_units_and_each_unit_has_its_own() -> None:
    with another("default", GUARD={"deadline": 5.0, "limits": Limits(4000, 2000)}) as wrapper:
        assert ask(wrapper, STATE) == ("4s", "2s")
        with unit_of_work(Scope(limits=Limits(30_000, 1000))):
            assert ask(wrapper, STATE) == ("30s", "1s")
            assert wrapper.connection.deadline == 31
        assert ask(wrapper, STATE) == ("4s", "2s")
        with unit_of_work(Scope()):
            assert ask(wrapper, STATE) == ("4s", "2s")
            assert wrapper.connection.deadline == 5
        with unit_of_work(Scope(limits=Limits())):
            assert ask(wrapper, STATE) == ("0", "0")
            assert wrapper.connection.deadline is None


# --- Commits -----------------------------------------------------------------------------------------------------------------
def test_the_commit_of_a_failed_transaction_is_an_error() -> None:
    """PostgreSQL itself answers ROLLBACK, without an error: a caller would take it for saved."""
    with another() as wrapper:
        with pytest.raises(InternalError, match="nothing is saved"), transaction.atomic(using="another"):
            try:
                ask(wrapper, "SELECT 1 / 0")
            except Exception:
                wrapper.needs_rollback = False
        assert ask(wrapper, "SELECT 1") == (1,)


def test_a_commit_whose_connection_is_gone_is_an_error() -> None:
    with another() as wrapper:
        with pytest.raises(OperationalError), transaction.atomic(using="another"):
            (pid,) = ask(wrapper, "SELECT pg_backend_pid()")
            ask(connections["default"], f"SELECT pg_terminate_backend({pid})")
        assert ask(wrapper, "SELECT 1") == (1,)


# --- Pools -------------------------------------------------------------------------------------------------------------------
POOL = {"min_size": 1, "max_size": 1, "timeout": 1.0, "reconnect_timeout": 1}


def test_a_pool_hands_its_connections_on_and_counts() -> None:
    options = connections["default"].settings_dict["OPTIONS"] | {"pool": dict(POOL)}
    with another("pooled", OPTIONS=options, GUARD={"deadline": 5.0, "breaker": True}) as wrapper:
        try:
            pids = set()
            for _ in range(3):
                pids |= set(ask(wrapper, "SELECT pg_backend_pid()"))
                wrapper.close()
            assert len(pids) == 1
            assert isinstance(wrapper.pool.connection_class, type)
            seen = pool_statistics()["pooled"]
            assert seen["requests_num"] >= 3  # a turn of waiting is one more
            assert seen["pool_max"] == 1
            ask(connections["default"], f"SELECT pg_terminate_backend({pids.pop()}, 10000)")  # and waits for its end
            assert ask(wrapper, "SELECT 1") == (1,)  # the pool has noticed
            assert not any(one["is_open"] for one in breaker_statistics().values())
        finally:
            wrapper.close()
            wrapper.close_pool()


ENDS = """
import atexit
atexit.register(lambda: print({alias: pool.closed for alias, pool in pools.items()}))
import django
django.setup()
from django.db import connections
from core.database.backend.base import DatabaseWrapper
pools = DatabaseWrapper._connection_pools
with connections["default"].cursor() as cursor:
    cursor.execute("SELECT 1")
print({alias: pool.closed for alias, pool in pools.items()})
"""


def test_a_process_that_ends_closes_its_pools_before_its_threads_stand_still() -> None:
    """psycopg would wait 5 s for each of them."""
    environment = os.environ | {"HMS_PROCESS": "web", "DJANGO_SETTINGS_MODULE": "hms.settings"}
    done = subprocess.run([sys.executable, "-c", ENDS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["{'default': False}", "{'default': True}"]


def test_an_operator_sees_who_is_connected(capsys: pytest.CaptureFixture[str]) -> None:
    with another() as wrapper:
        ask(wrapper, "SELECT 1")
        call_command("db", "status")
    assert "hms_app (hms command): " in capsys.readouterr().out
