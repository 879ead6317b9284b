"""Who is told what, who may see it, and that nothing but its being read ever changes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone, translation

from appointments.choices import Reply
from appointments.models import Appointment, Reminder
from appointments.services.answers import answer_reminder
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.database.detector import Detector
from core.errors import NotFound
from core.jobs.execution import execute
from core.jobs.kinds import GiveUp, Run, job_kind
from core.jobs.models import Job, State
from core.jobs.payloads import NotAPayload
from core.jobs.services import enqueue
from core.jobs.sweeper import sweep
from core.messaging import progress
from core.messaging.models import Channel
from core.messaging.models import State as MessageState
from core.notifications.kinds import UnknownNotification, known_notifications, told
from core.notifications.models import Notification
from core.notifications.people import people_of
from core.notifications.services import mark_all_read, mark_read, own_notifications, unread_count
from core.notifications.writing import notify
from core.tenancy.context import Scope, clinic_scope, entered, platform_scope
from core.webhooks.models import WebhookEndpoint
from core.webhooks.switching_off import switch_off
from patients.models import Patient
from patients.services import break_glass, restrict_record
from tests.core.messaging.told import both
from tests.core.messaging.told import told as message_to_patient
from tests.factories.visits import at, book
from tests.factories.world import Place

DETAILS = {
    "gateway_refuses": {"channels": "email-sms"},
    "record_opened": {"category": "emergency"},
    "visit_cancelled_by_patient": {"start": "2026-05-04T13:30:00+00:00"},
    "patient_running_late": {"start": "2026-05-04T13:30:00+00:00", "minutes": 20},
    "job_done": {"kind": "keys.follow_marks"},
    "job_failed": {"kind": "keys.follow_marks"},
    "webhook_off": {},
    "alert": {"rule": "database-away", "severity": "critical"},
}


def seen_by(place: Place, role: Role) -> list[Notification]:
    """What this person sees, the oldest first."""
    user = place.users[role]
    with clinic_scope(place.clinic, user_id=user.pk, reason="test"):
        return list(own_notifications(place.actor(role)).order_by("pk"))


def kinds_seen(place: Place) -> dict[Role, list[str]]:
    return {role: [one.kind for one in found] for role in place.users if (found := seen_by(place, role))}


def tell(place: Place, *roles: Role, kind: str = "webhook_off", **more: Any) -> None:
    with clinic_scope(place.clinic, reason="test"):
        notify([place.users[role].pk for role in roles], kind, clinic=place.clinic, **more)


# --- Whose they are ------------------------------------------------------------------------------------------------------
def test_each_sees_their_own_in_this_clinic(riverside: Place, hillcrest: Place) -> None:
    tell(riverside, Role.NURSE, Role.DOCTOR)
    tell(riverside, Role.NURSE)
    assert kinds_seen(riverside) == {Role.NURSE: ["webhook_off"] * 2, Role.DOCTOR: ["webhook_off"]}
    assert kinds_seen(hillcrest) == {}


def test_the_database_itself_shows_a_row_to_its_person_alone(riverside: Place) -> None:
    tell(riverside, Role.NURSE)
    for user_id, count in ((riverside.users[Role.CLINIC_ADMIN].pk, 0), (None, 0), (riverside.users[Role.NURSE].pk, 1)):
        with clinic_scope(riverside.clinic, user_id=user_id, reason="test"):
            assert Notification.objects.count() == count


def test_nobody_tells_people_of_another_clinic(riverside: Place, hillcrest: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"), pytest.raises(DatabaseError, match="row-level"), transaction.atomic():
        notify([hillcrest.users[Role.NURSE].pk], "webhook_off", clinic=hillcrest.clinic)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_notification SET kind = 'job_done'",
        "UPDATE core_notification SET user_id = user_id",
        "DELETE FROM core_notification",
    ],
)
def test_what_was_told_is_neither_changed_nor_removed(riverside: Place, statement: str) -> None:
    tell(riverside, Role.NURSE)
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.NURSE].pk, reason="test"):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_what_is_rolled_back_was_never_told(riverside: Place) -> None:
    with pytest.raises(ZeroDivisionError), clinic_scope(riverside.clinic, reason="test"):
        notify([riverside.users[Role.NURSE].pk], "webhook_off", clinic=riverside.clinic)
        raise ZeroDivisionError
    assert kinds_seen(riverside) == {}


def test_details_hold_nothing_that_somebody_could_be_known_by(riverside: Place) -> None:
    for wrong in ({"name": "Ines Haddad"}, {"phone": "+442079460018"}):
        with pytest.raises(NotAPayload):
            tell(riverside, Role.NURSE, details=wrong)
    with pytest.raises(NotAPayload):
        tell(riverside, Role.NURSE, once="Ines Haddad")
    with pytest.raises(UnknownNotification):
        tell(riverside, Role.NURSE, kind="made_up")


def test_many_cost_one_statement_and_nobody_none(riverside: Place) -> None:
    people = [user.pk for user in riverside.users.values()]
    with clinic_scope(riverside.clinic, reason="test"):
        for whom, count in ((people, 1), ([], 0)):
            with Detector().on(connection) as counted:
                notify(whom, "webhook_off", clinic=riverside.clinic)
            assert counted.count == count


def test_once_is_once_until_it_is_read(riverside: Place) -> None:
    more: dict[str, Any] = {"kind": "gateway_refuses", "details": DETAILS["gateway_refuses"], "once": "email-sms"}
    tell(riverside, Role.NURSE, **more)
    tell(riverside, Role.NURSE, Role.DOCTOR, **more)
    tell(riverside, Role.NURSE, **{**more, "once": "sms"})
    assert [len(seen_by(riverside, role)) for role in (Role.NURSE, Role.DOCTOR)] == [2, 1]
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.NURSE].pk, reason="test"):
        mark_all_read(actor=riverside.actor(Role.NURSE))
    tell(riverside, Role.NURSE, **more)
    assert len(seen_by(riverside, Role.NURSE)) == 3


# --- Reading ---------------------------------------------------------------------------------------------------------------
def test_read_marks(riverside: Place) -> None:
    actor = riverside.actor(Role.NURSE)
    for _ in range(3):
        tell(riverside, Role.NURSE)
    tell(riverside, Role.DOCTOR)
    first, second, _third = seen_by(riverside, Role.NURSE)
    (doctors,) = seen_by(riverside, Role.DOCTOR)
    with clinic_scope(riverside.clinic, user_id=actor.user_id, reason="test"):
        assert unread_count(actor) == 3
        read_at = mark_read(actor=actor, notification_id=first.pk).read_at
        assert mark_read(actor=actor, notification_id=first.pk).read_at == read_at
        assert unread_count(actor) == 2
        assert mark_all_read(actor=actor, until=second.pk) == 1
        assert (mark_all_read(actor=actor), mark_all_read(actor=actor), unread_count(actor)) == (1, 0, 0)
        for missing in (doctors.pk, uuid4()):
            with pytest.raises(NotFound):
                mark_read(actor=actor, notification_id=missing)
    assert seen_by(riverside, Role.DOCTOR)[0].read_at is None


# --- Words -----------------------------------------------------------------------------------------------------------------
def test_every_kind_has_a_case_here() -> None:
    assert DETAILS.keys() == known_notifications().keys()


@pytest.mark.parametrize("kind", sorted(DETAILS))
def test_every_kind_says_something_to_everybody_without_a_query(kind: str, riverside: Place) -> None:
    row = Notification(clinic_id=riverside.clinic.pk, kind=kind, about_id=uuid4(), details=DETAILS[kind])
    with Detector().on(connection) as counted, timezone.override(riverside.clinic.zone):
        for role in Role:
            if role in riverside.memberships:
                said = told(row, riverside.actor(role))
                assert said.words and "None" not in said.words and said.tone in ("info", "ok", "warn", "bad")
                assert said.address == "" or said.address.startswith("/")
        if "start" in DETAILS[kind]:
            assert "14:30" in said.words
            with translation.override("de"):
                assert "4. Mai 2026" in told(row, riverside.actor(Role.DOCTOR)).words
    assert counted.count == 0


def test_a_page_is_offered_only_to_who_may_see_it(riverside: Place) -> None:
    row = Notification(kind="record_opened", about_id=uuid4(), details=DETAILS["record_opened"])
    assert told(row, riverside.actor(Role.COMPLIANCE_OFFICER)).address == f"/oversight/emergency-access/{row.about_id}/"
    assert told(row, riverside.actor(Role.NURSE)).address == ""


def test_what_a_later_version_told_does_no_harm(riverside: Place) -> None:
    assert told(Notification(kind="from_the_future", details={"x": 1}), riverside.actor(Role.NURSE)).words


# --- Causes ----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def visit(in_riverside: Place) -> Appointment:
    provider = in_riverside.providers[0]
    provider.user = in_riverside.users[Role.DOCTOR]
    provider.save(update_fields=["user"])
    return book(in_riverside, at(in_riverside, 21, 10), provider_id=provider.pk)


def answered(visit: Appointment, reply: Reply, **more: Any) -> None:
    reminder = Reminder.objects.create(appointment=visit, kind="first", start=visit.start)
    answer_reminder(reminder_id=reminder.pk, reply=reply, **more)


def test_a_patient_who_cancels_is_told_to_provider_and_reception(visit: Appointment, in_riverside: Place) -> None:
    answered(visit, Reply.CANCEL)
    kind = "visit_cancelled_by_patient"
    assert kinds_seen(in_riverside) == {Role.DOCTOR: [kind], Role.RECEPTIONIST: [kind]}
    (row,) = seen_by(in_riverside, Role.DOCTOR)
    assert (row.about_id, set(row.details)) == (visit.pk, {"start"})


@pytest.mark.parametrize(("minutes", "details"), [(20, {"minutes": 20}), (None, {})])
def test_one_who_is_late_too(visit: Appointment, in_riverside: Place, minutes: int | None, details: dict[str, int]) -> None:
    answered(visit, Reply.LATE, late_minutes=minutes)
    (row,) = seen_by(in_riverside, Role.RECEPTIONIST)
    assert {name: value for name, value in row.details.items() if name != "start"} == details
    assert kinds_seen(in_riverside).keys() == {Role.DOCTOR, Role.RECEPTIONIST}


def test_confirming_is_no_news(visit: Appointment, in_riverside: Place) -> None:
    answered(visit, Reply.CONFIRM)
    assert kinds_seen(in_riverside) == {}


def test_the_reception_elsewhere_and_who_has_left_are_not_told(visit: Appointment, in_riverside: Place) -> None:
    here, there = in_riverside.locations
    desk = in_riverside.memberships[Role.RECEPTIONIST]
    two = [there.pk, here.pk]
    for locations, state, count in (([there.pk], "active", 0), (two, "active", 1), ([], "left", 0), ([], "active", 1)):
        Membership.objects.filter(pk=desk.pk).update(location_ids=locations, state=state)
        found = people_of(in_riverside.clinic.pk, [Role.RECEPTIONIST], location_id=visit.location_id)
        assert len(found) == count
    User.objects.filter(pk=desk.user_id).update(is_active=False)
    assert people_of(in_riverside.clinic.pk, [Role.RECEPTIONIST]) == []


def test_emergency_access_is_told_to_those_who_judge_it(in_riverside: Place) -> None:
    patient: Patient = in_riverside.patients[2]
    restrict_record(actor=in_riverside.actor(Role.CLINIC_ADMIN), patient_id=patient.pk, restricted=True, reason="Works here")
    why = {"category": "emergency", "reason": "Collapsed in the waiting room."}
    access = break_glass(actor=in_riverside.actor(Role.COMPLIANCE_OFFICER), patient_id=patient.pk, **why)
    assert kinds_seen(in_riverside) == {Role.CLINIC_ADMIN: ["record_opened"]}  # the other reviewer opened it
    (row,) = seen_by(in_riverside, Role.CLINIC_ADMIN)
    assert (row.about_id, row.details) == (access.pk, {"category": "emergency"})


def across(place: Place, role: Role) -> list[str]:
    """The same, as it stands in the test's transaction of the platform."""
    with platform_scope(reason="test"):
        return list(Notification.objects.filter(clinic=place.clinic, user=place.users[role]).values_list("kind", flat=True))


def test_a_webhook_that_is_switched_off_is_told_to_administrators_once(riverside: Place) -> None:
    with platform_scope(reason="test"):
        endpoint = WebhookEndpoint.objects.create(
            clinic_id=riverside.clinic.pk, name="Laboratory", url="https://lab.example.org/", events=["patient.changed"], secret="x"
        )
        for _ in range(2):
            switch_off(endpoint, why="410")
    assert across(riverside, Role.CLINIC_ADMIN) == ["webhook_off"]
    assert across(riverside, Role.NURSE) == []


@pytest.mark.parametrize(
    ("state", "channels", "count"),
    [
        (MessageState.FAILED, [Channel.SMS, Channel.EMAIL], 1),
        (MessageState.FAILED, [], 0),  # the addresses were wrong, no gateway
        (MessageState.WAITING, [Channel.SMS], 0),
        (MessageState.SENT, [Channel.SMS], 0),
    ],
)
def test_gateways_that_refuse_to_the_last_are_told_to_administrators(
    riverside: Place, hillcrest: Place, state: MessageState, channels: list[Channel], count: int
) -> None:
    for _ in range(2):
        kept = message_to_patient(riverside.clinic, Channel.SMS, state=MessageState.UNKNOWN)
        message, _row = both(kept)
        message.state, message.channels, message.cause = state, channels, "sms: HTTP 401"
        assert progress.keep_note(message)
    assert across(riverside, Role.CLINIC_ADMIN) == ["gateway_refuses"] * count
    assert across(hillcrest, Role.CLINIC_ADMIN) == []


# --- Jobs ------------------------------------------------------------------------------------------------------------------
@job_kind("test.waited_for", queue="reports", attempts=2, pause=timedelta(0), label="A long piece of work")
def waited_for(run: Run, *, outcome: str) -> None:
    if outcome == "fails":
        raise ValueError
    if outcome == "gives_up":
        raise GiveUp("no use")


@job_kind("test.goes_along", queue="reports")
def goes_along(run: Run) -> None:
    raise GiveUp("no use")


def begun(place: Place, kind: str, by: Role | None = Role.NURSE, **payload: Any) -> Job:
    with entered(Scope(place.clinic.pk, by and place.users[by].pk)):
        return Job.objects.get(pk=enqueue(kind, clinic=place.clinic, payload=payload))


@pytest.mark.parametrize(
    ("outcome", "attempts", "said"),
    [("works", 1, ["job_done"]), ("gives_up", 1, ["job_failed"]), ("fails", 1, []), ("fails", 2, ["job_failed"])],
)
def test_whoever_began_a_job_is_told_how_it_ended(riverside: Place, outcome: str, attempts: int, said: list[str]) -> None:
    job = begun(riverside, "test.waited_for", outcome=outcome)
    for _ in range(attempts):
        execute(job.pk)
    assert kinds_seen(riverside) == ({Role.NURSE: said} if said else {})
    assert [one.about_id for one in seen_by(riverside, Role.NURSE)] == [job.pk] * len(said)


def test_what_goes_along_by_itself_or_nobody_began_is_told_to_nobody(riverside: Place) -> None:
    execute(begun(riverside, "test.goes_along").pk)
    execute(begun(riverside, "test.waited_for", None, outcome="works").pk)
    assert kinds_seen(riverside) == {}


def test_that_its_worker_died_at_the_last_attempt_is_told_too(riverside: Place) -> None:
    job = begun(riverside, "test.waited_for", outcome="works")
    past = timezone.now() - timedelta(minutes=1)
    for attempts, state in ((1, State.RETRYING), (2, State.DEAD)):
        Job.objects.filter(pk=job.pk).update(state=State.RUNNING, claim=uuid4(), lease_until=past, attempts=attempts)
        sweep()
        job.refresh_from_db()
        assert job.state == state
        assert [one.kind for one in seen_by(riverside, Role.NURSE)] == ["job_failed"] * (state == State.DEAD)
