"""Beginning a job after a commit: one that waits is enough, one that runs is not, and what is rolled back begins none."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.jobs.forgetting import frequent_kinds, succeeded_often
from core.jobs.models import Job, State
from core.jobs.services import begin_at, begin_soon
from core.messaging import courier as couriers
from core.messaging.models import Channel, Kind
from core.messaging.services import post
from core.tenancy.context import Scope, platform_scope, unit_of_work
from core.tenancy.units import once_after_commit
from tests.architecture.catalogue import add_row, any_rows
from tests.factories.leftovers import leftovers
from tests.factories.threads import apart

MESSAGES = "messages.send"


@pytest.fixture
def committing(world: object, settings: Any) -> Iterator[None]:
    options = {"host": "127.0.0.1", "port": 9}  # nobody sends here
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    yield
    leftovers.clear()


def jobs(**such: Any) -> list[Job]:
    def found() -> list[Job]:
        with unit_of_work(Scope(reason="test")):
            return list(Job.objects.filter(**such).order_by("id"))

    result: list[Job] = apart(found)[0]
    return result


def change(job: Job, **values: Any) -> None:
    def save() -> None:
        with unit_of_work(Scope(reason="test")):
            Job.objects.filter(pk=job.pk).update(**values)

    apart(save)


def write(times: int = 1, fail: bool = False) -> None:
    def posting() -> None:
        with unit_of_work(Scope(reason="test")):
            for number in range(times):
                to = {Channel.EMAIL: f"p{number}@example.org"}
                post(kind=Kind.NOTICE, to=to, channels=[Channel.EMAIL], subject="a", text="b")
            if fail:
                transaction.set_rollback(True)

    apart(posting)


def test_one_that_waits_is_enough(committing: None) -> None:
    for _ in range(3):
        apart(lambda: begin_soon(MESSAGES))
    assert len(jobs()) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"state": State.SUCCEEDED},
        {"state": State.RUNNING, "claim": "019a0000-0000-7000-8000-000000000000", "lease_until": timezone.now()},
        {"state": State.RETRYING, "run_at": datetime(2999, 1, 1, tzinfo=UTC)},
    ],
    ids=["over", "running", "later"],
)
def test_one_that_may_have_looked_already_is_not(committing: None, values: dict[str, Any]) -> None:
    apart(lambda: begin_soon(MESSAGES))
    change(jobs()[0], **values)
    apart(lambda: begin_soon(MESSAGES))
    assert len(jobs()) == 2


@pytest.mark.parametrize("hours", [-2, 2], ids=["behind", "ahead"])
def test_what_is_due_the_database_s_clock_says(committing: None, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """This machine's is hours off."""
    apart(lambda: begin_soon(MESSAGES))
    if hours > 0:
        change(jobs()[0], state=State.RETRYING, run_at=timezone.now() + timedelta(hours=1))
    wrong = timezone.now() + timedelta(hours=hours)
    monkeypatch.setattr(timezone, "now", lambda: wrong)
    apart(lambda: begin_soon(MESSAGES))
    assert len(jobs()) == (2 if hours > 0 else 1)


def test_many_at_once_need_few(committing: None) -> None:
    apart(*[lambda: begin_soon(MESSAGES)] * 8)
    assert 1 <= len(jobs()) <= 8
    apart(*[lambda: begin_soon(MESSAGES)] * 8)
    assert len(jobs()) <= 8  # none was added


def test_of_a_moment_there_is_one(committing: None) -> None:
    moment = timezone.now() + timedelta(seconds=20)
    apart(lambda: begin_at(MESSAGES, moment))
    apart(lambda: begin_at(MESSAGES, moment))
    (job,) = jobs()
    assert moment < job.run_at <= moment + timedelta(seconds=1)


def test_what_a_worker_or_a_command_posts_is_a_job_s(committing: None) -> None:
    write(5)
    assert [(one.kind, one.state) for one in jobs()] == [(MESSAGES, State.QUEUED)]


def test_what_is_rolled_back_begins_no_job(committing: None) -> None:
    write(fail=True)
    assert jobs() == []


def test_a_web_process_s_courier_needs_no_job(committing: None, settings: Any) -> None:
    settings.MAILERS = {}  # nothing is sent
    couriers.courier.start()
    try:
        write()
    finally:
        couriers.courier.stop()
    assert jobs() == []


def test_asked_for_twice_it_is_done_once_also_after_a_rollback_to_a_savepoint(committing: None) -> None:
    done: list[str] = []

    class Note:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Note)

        def __hash__(self) -> int:
            return 0

        def __call__(self) -> None:
            done.append("now")

    def work() -> None:
        with transaction.atomic():
            for lost in (True, False):
                with transaction.atomic():
                    once_after_commit(Note(), using="default")
                    transaction.set_rollback(lost)
            once_after_commit(Note(), using="default")
            assert done == []
        once_after_commit(Note(), using="default")

    apart(work)
    assert done == ["now", "now"]


def test_what_fails_after_the_commit_fails_nobody(committing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kind: str) -> None:
        raise RuntimeError("the database has gone away")

    monkeypatch.setattr(couriers, "begin_soon", broken)
    write()

    def posted() -> int:
        with platform_scope(reason="test"):
            return couriers.OutgoingMessage.objects.count()

    assert apart(posted) == [1]


def test_a_message_that_is_due_later_is_known(committing: None) -> None:
    write()
    due = timezone.now() + timedelta(seconds=20)

    def later() -> None:
        with platform_scope(reason="test"):
            couriers.OutgoingMessage.objects.update(due_at=due)

    assert apart(couriers.next_due) == [None]
    apart(later)
    assert apart(couriers.next_due) == [due]


def test_what_is_done_every_few_minutes_is_soon_forgotten(world: object) -> None:
    assert {"messages.send", "webhooks.send", "reminders.send", "audit.seal"} <= set(frequent_kinds())
    assert not {"maintenance.daily", "uploads.sweep", "cache.warm"} & set(frequent_kinds())
    days = {"old": 3, "young": 1}
    with any_rows() as found:
        for kind in ("messages.send", "maintenance.daily"):
            for state in ("succeeded", "dead"):
                for age in days.values():
                    ended = timezone.now() - timedelta(days=age)
                    add_row(found, "core_job", kind=kind, state=state, claim=None, finished_at=ended)
        found.execute("SET LOCAL ROLE hms_maintenance")
        ((statement, words, reason),) = succeeded_often(found)
        assert found.execute(statement).rowcount == 1
        assert "few minutes" in words and reason.startswith("1 ")


def test_nothing_of_it_is_asked_within_the_transaction(committing: None) -> None:
    """What a post costs its request is one statement, as before."""
    with unit_of_work(Scope(reason="test")):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        before = len(connection.run_on_commit)
        for _ in range(3):
            post(kind=Kind.NOTICE, to={Channel.EMAIL: "a@example.org"}, channels=[Channel.EMAIL], subject="a", text="b")
        assert len(connection.run_on_commit) == before + 1
        transaction.set_rollback(True)
