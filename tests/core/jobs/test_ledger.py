"""The ledger: who may want, see, cancel and retry, and what an attempt may do."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from core.accounts.roles import MATRIX, Role
from core.errors import Conflict, NotAllowed, NotFound
from core.jobs import services
from core.jobs.execution import execute
from core.jobs.kinds import GiveUp, Run, UnknownKind, Within, job_kind, kind_of, known_kinds
from core.jobs.models import Job, State
from core.jobs.payloads import NotAPayload
from core.jobs.services import cancel, enqueue, requeue, requeue_all
from core.jobs.statistics import queue_statistics
from core.tenancy.context import Scope, current_scope, entered
from patients.models import Patient
from tests.architecture.catalogue import rows
from tests.factories.world import Place

SEEN: dict[str, Any] = {}


@job_kind("test.looks_around", queue="reports", pause=timedelta(seconds=10), longest=timedelta(seconds=60))
def looks_around(run: Run, *, clinic_id: UUID | None = None) -> None:
    scope = current_scope()
    assert scope is not None
    SEEN["scope"], SEEN["attempt"] = scope, run.attempt
    SEEN["by_orm"] = set(Patient.objects.values_list("clinic_id", flat=True))
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT DISTINCT clinic_id FROM patients_patient")
        SEEN["by_sql"] = {clinic for (clinic,) in cursor.fetchall()}


@job_kind("test.changes_and_fails", queue="reports", attempts=2, pause=timedelta(0))
def changes_and_fails(run: Run) -> None:
    Patient.objects.update(notes="touched")
    raise ValueError("Ines Haddad")


@job_kind("test.refuses", queue="reports", gives_up_on=(NotFound,))
def refuses(run: Run) -> None:
    raise NotFound("There is no such patient as Ines Haddad.")


def job(key: UUID) -> Job:
    return Job.objects.get(pk=key)


def test_a_job_works_in_its_clinic_and_sees_no_other(riverside: Place, hillcrest: Place) -> None:
    user = riverside.users[Role.DOCTOR]
    with entered(Scope(riverside.clinic.pk, user.pk, "request-1")):
        key = enqueue("test.looks_around", clinic=riverside.clinic)
    assert execute(key) == State.SUCCEEDED
    assert SEEN["by_orm"] == SEEN["by_sql"] == {riverside.clinic.pk}
    scope = SEEN["scope"]
    assert (scope.clinic_id, scope.user_id, scope.request_id) == (riverside.clinic.pk, user.pk, "request-1")
    assert scope.reason == "job test.looks_around"
    row = job(key)
    assert (row.state, row.attempts, row.progress, row.claim, row.lease_until) == (State.SUCCEEDED, 1, 100, None, None)
    assert row.started_at and row.finished_at and row.started_at <= row.finished_at
    assert current_scope() is None


def test_what_is_claimed_or_over_is_done_by_nobody_else(riverside: Place) -> None:
    key = enqueue("test.looks_around", clinic=riverside.clinic)
    execute(key)
    assert execute(key) is None
    assert execute(uuid4()) is None
    assert job(key).attempts == 1


def test_what_is_not_due_is_not_done(riverside: Place) -> None:
    key = enqueue("test.looks_around", clinic=riverside.clinic, run_at=timezone.now() + timedelta(hours=1))
    assert execute(key) is None
    assert (job(key).state, job(key).sent_at) == (State.QUEUED, None)


def test_what_fails_leaves_nothing_but_its_cause(riverside: Place) -> None:
    key = enqueue("test.changes_and_fails", clinic=riverside.clinic)
    assert execute(key) == State.RETRYING
    row = job(key)
    assert row.cause.startswith("ValueError at tests/core/jobs/test_ledger.py:") and "Ines" not in row.cause
    assert (row.claim, row.sent_at) == (None, None)
    assert execute(key) == State.DEAD
    assert job(key).finished_at is not None
    assert rows("SELECT set_config('hms.clinic_id', %s, true)", str(riverside.clinic.pk))
    assert rows("SELECT count(*) FROM patients_patient WHERE notes = 'touched'") == [(0,)]


def test_an_error_that_its_kind_gives_up_on_ends_it(riverside: Place) -> None:
    key = enqueue("test.refuses", clinic=riverside.clinic)
    assert execute(key) == State.FAILED
    assert job(key).cause.startswith("NotFound NOT_FOUND at ")


def test_a_kind_that_is_gone_fails(riverside: Place) -> None:
    key = enqueue("test.looks_around", clinic=riverside.clinic)
    Job.objects.filter(pk=key).update(kind="test.gone")
    assert execute(key) == State.FAILED
    assert job(key).cause.startswith("UnknownKind")


def test_pauses_double_up_to_the_longest_with_a_quarter_by_chance() -> None:
    kind = kind_of("test.looks_around")
    for attempt, seconds in ((1, 10), (2, 20), (3, 40), (4, 60), (40, 60)):
        pauses = {kind.pause_after(attempt).total_seconds() for _ in range(50)}
        assert 0.75 * seconds <= min(pauses) and max(pauses) <= 1.25 * seconds and len(pauses) > 1


def test_what_is_wanted_has_to_make_sense(riverside: Place) -> None:
    with pytest.raises(UnknownKind):
        enqueue("test.nothing")
    with pytest.raises(NotAPayload):
        enqueue("test.looks_around", payload={"name": "ines"}, clinic=riverside.clinic)
    with pytest.raises(NotAPayload):
        enqueue("test.looks_around")
    with pytest.raises(NotAPayload):
        enqueue("test.looks_around", clinic=riverside.clinic, dedupe_key="Ines Haddad")
    with pytest.raises(KeyError):
        enqueue("test.looks_around", clinic=riverside.clinic, queue="nowhere")
    assert not Job.objects.exists()


def test_a_queue_and_a_priority_of_its_own(riverside: Place) -> None:
    row = job(enqueue("test.looks_around", clinic=riverside.clinic, queue="notifications", priority=99))
    assert (row.queue, row.workers, row.priority) == ("notifications", "urgent", 9)


def test_keys_are_a_kind_s_and_a_clinic_s(riverside: Place, hillcrest: Place) -> None:
    def wanted(kind: str, place: Place) -> UUID:
        return enqueue(kind, clinic=place.clinic, dedupe_key="day-2026-03-17")

    first = wanted("test.looks_around", riverside)
    assert wanted("test.looks_around", riverside) == first
    assert len({first, wanted("test.looks_around", hillcrest), wanted("test.refuses", riverside)}) == 3
    execute(first)
    assert wanted("test.looks_around", riverside) != first


def test_the_statements_that_it_costs(riverside: Place, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        enqueue("test.looks_around", clinic=riverside.clinic)
    with django_assert_num_queries(2):
        enqueue("test.looks_around", clinic=riverside.clinic, dedupe_key="one")
    with django_assert_num_queries(3):
        enqueue("test.looks_around", clinic=riverside.clinic, dedupe_key="one")
    with django_assert_num_queries(2):
        queue_statistics(riverside.clinic.pk)


@pytest.mark.parametrize("role", list(MATRIX["clinic"]["view"] - {Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}))
def test_only_administrators_cancel_and_retry(role: Role, riverside: Place) -> None:
    key, actor = enqueue("test.looks_around", clinic=riverside.clinic), riverside.actor(role)
    if role == Role.CLINIC_ADMIN:
        assert cancel(actor=actor, job_id=key).state == State.CANCELLED
        assert requeue(actor=actor, job_id=key).state == State.QUEUED
        return
    for attempt in (cancel, requeue):
        with pytest.raises(NotAllowed):
            attempt(actor=actor, job_id=key)
    assert job(key).state == State.QUEUED


def test_another_clinic_s_job_is_none(riverside: Place, hillcrest: Place) -> None:
    outsider = hillcrest.actor(Role.CLINIC_ADMIN)
    for key in (enqueue("test.looks_around", clinic=riverside.clinic), enqueue("uploads.sweep")):
        for attempt in (cancel, requeue):
            with pytest.raises(NotFound):
                attempt(actor=outsider, job_id=key)
    assert not services.visible_jobs(outsider).exists()
    Job.objects.update(state=State.DEAD)
    assert requeue_all(actor=outsider) == 0


def test_only_what_has_failed_is_tried_again(riverside: Place) -> None:
    key = enqueue("test.looks_around", clinic=riverside.clinic)
    with pytest.raises(Conflict):
        requeue(actor=None, job_id=key)
    execute(key)
    with pytest.raises(Conflict):
        requeue(actor=None, job_id=key)
    with pytest.raises(Conflict):
        cancel(actor=None, job_id=key)


def test_dead_letters_are_tried_again_together(riverside: Place) -> None:
    def dead(kind: str, key: str = "") -> UUID:
        found = enqueue(kind, clinic=riverside.clinic, dedupe_key=key)
        Job.objects.filter(pk=found).update(state=State.DEAD, attempts=5)
        return found

    plain, other = dead("test.looks_around"), dead("test.refuses")
    older, newer = dead("test.looks_around", "one"), dead("test.looks_around", "one")
    taken = dead("test.looks_around", "two")
    enqueue("test.looks_around", clinic=riverside.clinic, dedupe_key="two")
    assert requeue_all(actor=None, kind="test.looks_around") == 2
    states = {key: job(key).state for key in (plain, other, older, newer, taken)}
    assert states == {plain: "queued", other: "dead", older: "dead", newer: "queued", taken: "dead"}
    assert job(plain).attempts == 0
    with pytest.raises(Conflict, match="Another job"):
        requeue(actor=None, job_id=taken)


def test_statistics_count_what_there_is(riverside: Place, hillcrest: Place) -> None:
    now = timezone.now()
    for place, state, more in (
        (riverside, State.QUEUED, {"run_at": now - timedelta(seconds=90)}),
        (riverside, State.RETRYING, {"run_at": now + timedelta(hours=1)}),
        (riverside, State.RUNNING, {"claim": uuid4(), "lease_until": now}),
        (riverside, State.DEAD, {"finished_at": now}),
        (
            riverside,
            State.SUCCEEDED,
            {"run_at": now - timedelta(seconds=10), "started_at": now - timedelta(seconds=8), "finished_at": now},
        ),
        (riverside, State.SUCCEEDED, {"finished_at": now - timedelta(hours=2)}),
        (riverside, State.CANCELLED, {"finished_at": now}),
        (hillcrest, State.QUEUED, {}),
    ):
        Job.objects.filter(pk=enqueue("test.looks_around", clinic=place.clinic)).update(state=state, **more)
    (one,) = [found for found in queue_statistics(riverside.clinic.pk) if found.is_used]
    assert (one.queue, one.waiting, one.later, one.running, one.dead_letters) == ("reports", 1, 1, 1, 1)
    assert (one.succeeded, one.failed, one.failure_rate) == (1, 1, 0.5)
    assert 90 <= one.oldest_s < 120 and one.wait_p50_s == 2 and one.run_p95_s == 8
    assert {found.waiting for found in queue_statistics() if found.is_used} == {2}


def test_the_ledger_can_not_be_deleted_from() -> None:
    for role in ("hms_app", "hms_platform"):
        assert rows("SELECT has_table_privilege(%s, 'core_job', 'DELETE')", role) == [(False,)]


def test_the_command_tells_and_acts(riverside: Place, capsys: pytest.CaptureFixture[str]) -> None:
    key = str(enqueue("test.refuses", clinic=riverside.clinic))
    execute(UUID(key))
    call_command("jobs", "dead")
    call_command("jobs", "show", key)
    call_command("jobs", "retry", key)
    call_command("jobs", "list", "--state", "queued", "--json")
    call_command("jobs", "cancel", key)
    call_command("jobs", "stats")
    call_command("jobs", "stats", "--json")
    said = capsys.readouterr().out
    assert said.count(key) >= 3 and "Queued again." in said and "Cancelled." in said and '"dead_letters"' in said


def test_kinds_say_what_they_do() -> None:
    for name, kind in known_kinds().items():
        assert name.startswith("test.") or kind.function.__doc__, name
        assert kind.attempts >= 1


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already"):
        job_kind("test.refuses", queue="reports")(refuses)


def test_within_a_transaction_that_fails_nothing_is_wanted(riverside: Place) -> None:
    with pytest.raises(GiveUp), transaction.atomic():
        enqueue("test.looks_around", clinic=riverside.clinic)
        raise GiveUp("no")
    assert not Job.objects.exists()
    assert {kind.within for kind in known_kinds().values()} >= {Within.CLINIC, Within.NOTHING}
