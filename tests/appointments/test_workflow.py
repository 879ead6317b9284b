"""Every step from every state, who may take it, and how it is taken back."""

from datetime import UTC, date, time, timedelta

import pytest
from django.db import transaction

from appointments.choices import FREED, TRANSITIONS, UNDOABLE, Status
from appointments.errors import SlotTaken
from appointments.models import Appointment, Claim, ScheduleException
from appointments.selectors import free_slots
from appointments.services import (
    book_appointment,
    change_notes,
    change_status,
    reschedule_appointment,
    undo_last_change,
)
from core.accounts.actor import system_actor
from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.errors import Conflict, NotAllowed, NotFound, PreconditionFailed, ValidationFailed
from core.tenancy.context import clinic_scope
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place

WAY = {
    Status.REQUESTED: (),
    Status.CONFIRMED: (),
    Status.CHECKED_IN: ("check_in",),
    Status.IN_PROGRESS: ("check_in", "start"),
    Status.COMPLETED: ("check_in", "start", "complete"),
    Status.CANCELLED: ("cancel",),
    Status.NO_SHOW: ("no_show",),
}
MOMENTS = {"check_in": "checked_in_at", "start": "started_at", "complete": "completed_at"}


def visit_in(place: Place, status: Status) -> Appointment:
    visit = book(place, at(place, 1, 9))
    if status == Status.REQUESTED:
        Appointment.objects.filter(pk=visit.pk).update(status=status)
    for action in WAY[status]:
        change_status(actor=place.actor(Role.NURSE), appointment_id=visit.pk, action=action)
    visit.refresh_from_db()
    assert visit.status == status
    return visit


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("action", TRANSITIONS)
def test_every_step_from_every_state(in_riverside: Place, status: Status, action: str) -> None:
    visit, actor = visit_in(in_riverside, status), in_riverside.actor(Role.RECEPTIONIST)
    changes = visit.changes.count()
    step = TRANSITIONS[action]
    if status not in step.sources:
        with pytest.raises(Conflict) as refused:
            change_status(actor=actor, appointment_id=visit.pk, action=action)
        assert refused.value.extra["status"] == status
        assert refused.value.details[0].code == status
        visit.refresh_from_db()
        assert (visit.status, visit.changes.count()) == (status, changes)
        return
    changed = change_status(actor=actor, appointment_id=visit.pk, action=action, reason="so it is")
    assert changed.status == step.target
    last = visit.changes.last()
    assert last is not None
    assert (last.from_status, last.to_status, last.reason, last.actor_name) == (status, step.target, "so it is", actor.name)
    if action in MOMENTS:
        assert getattr(changed, MOMENTS[action]) is not None
    assert Claim.objects.filter(appointment=visit).exists() == (step.target not in FREED)


@pytest.mark.parametrize("status", Status)
def test_what_can_be_undone(in_riverside: Place, status: Status) -> None:
    visit, actor = visit_in(in_riverside, status), in_riverside.actor(Role.RECEPTIONIST)
    if status not in UNDOABLE:
        with pytest.raises(Conflict):
            undo_last_change(actor=actor, appointment_id=visit.pk)
        return
    undone = undo_last_change(actor=actor, appointment_id=visit.pk)
    way = WAY[status]
    assert undone.status == (TRANSITIONS[way[-2]].target if len(way) > 1 else Status.CONFIRMED)
    assert Claim.objects.filter(appointment=visit).count() == 3
    if way[-1] in MOMENTS:
        assert getattr(undone, MOMENTS[way[-1]]) is None


def test_undoing_twice_goes_back_twice(in_riverside: Place) -> None:
    visit, actor = visit_in(in_riverside, Status.COMPLETED), in_riverside.actor(Role.RECEPTIONIST)
    states = [undo_last_change(actor=actor, appointment_id=visit.pk).status for _ in range(3)]
    assert states == [Status.IN_PROGRESS, Status.CHECKED_IN, Status.CONFIRMED]
    change_status(actor=actor, appointment_id=visit.pk, action="no_show")
    assert undo_last_change(actor=actor, appointment_id=visit.pk).status == Status.CONFIRMED


def test_a_missed_visit_whose_time_is_gone_stays_missed(in_riverside: Place) -> None:
    visit, actor = visit_in(in_riverside, Status.NO_SHOW), in_riverside.actor(Role.RECEPTIONIST)
    book(in_riverside, visit.start)
    with pytest.raises(SlotTaken) as refused:
        undo_last_change(actor=actor, appointment_id=visit.pk)
    assert "provider_taken" in {detail.code for detail in refused.value.details}
    visit.refresh_from_db()
    assert visit.status == Status.NO_SHOW
    assert not Claim.objects.filter(appointment=visit).exists()


@pytest.mark.parametrize("action", [*TRANSITIONS, "undo", "reschedule", "create"])
@pytest.mark.parametrize("role", sorted(CLINIC_ROLES))
def test_who_may(in_riverside: Place, role: Role, action: str) -> None:
    visit, actor = book(in_riverside, at(in_riverside, 1, 9)), in_riverside.actor(role)
    state = {"start": Status.CHECKED_IN, "complete": Status.IN_PROGRESS, "undo": Status.CHECKED_IN, "confirm": Status.REQUESTED}
    Appointment.objects.filter(pk=visit.pk).update(status=state.get(action, Status.CONFIRMED))
    if action == "undo":
        Appointment.objects.filter(pk=visit.pk).update(status=Status.CONFIRMED)
        change_status(actor=in_riverside.actor(Role.NURSE), appointment_id=visit.pk, action="check_in")

    def act() -> None:
        if action == "undo":
            undo_last_change(actor=actor, appointment_id=visit.pk)
        elif action == "reschedule":
            reschedule_appointment(actor=actor, appointment_id=visit.pk, start=at(in_riverside, 1, 10))
        elif action == "create":
            book(in_riverside, at(in_riverside, 1, 11), actor=actor)
        else:
            change_status(actor=actor, appointment_id=visit.pk, action=action)

    if role in MATRIX["appointment"][action]:
        act()
    else:
        with pytest.raises(NotAllowed):
            act()


def test_another_clinics_visit_is_not_found(riverside: Place, hillcrest: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, at(riverside, 1, 9))
    with clinic_scope(hillcrest.clinic, reason="test"):
        actor = hillcrest.actor(Role.RECEPTIONIST)
        for act in (
            lambda: change_status(actor=actor, appointment_id=visit.pk, action="check_in"),
            lambda: undo_last_change(actor=actor, appointment_id=visit.pk),
            lambda: reschedule_appointment(actor=actor, appointment_id=visit.pk, start=at(hillcrest, 1, 9)),
            lambda: change_notes(actor=actor, appointment_id=visit.pk, notes="x"),
        ):
            with pytest.raises(NotFound):
                act()


def test_a_stale_version_is_refused(in_riverside: Place) -> None:
    visit, actor = book(in_riverside, at(in_riverside, 1, 9)), in_riverside.actor(Role.RECEPTIONIST)
    change_notes(actor=actor, appointment_id=visit.pk, notes="changed", expected_version=1)
    for act in (
        lambda: change_status(actor=actor, appointment_id=visit.pk, action="check_in", expected_version=1),
        lambda: reschedule_appointment(actor=actor, appointment_id=visit.pk, start=at(in_riverside, 1, 10), expected_version=1),
    ):
        with pytest.raises(PreconditionFailed):
            act()


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.REQUESTED, Status.CONFIRMED}))
def test_a_visit_that_has_begun_or_ended_is_not_moved(in_riverside: Place, status: Status) -> None:
    visit = visit_in(in_riverside, status)
    with pytest.raises(Conflict) as refused:
        reschedule_appointment(actor=in_riverside.actor(Role.RECEPTIONIST), appointment_id=visit.pk, start=at(in_riverside, 2, 9))
    assert refused.value.extra["status"] == status


def test_a_move_to_a_time_that_overlaps_its_own(in_riverside: Place) -> None:
    visit, actor = book(in_riverside, at(in_riverside, 1, 9)), in_riverside.actor(Role.RECEPTIONIST)
    moved = reschedule_appointment(actor=actor, appointment_id=visit.pk, start=visit.start + timedelta(minutes=10))
    assert moved.start == visit.start + timedelta(minutes=10)
    assert Claim.objects.filter(appointment=visit).count() == 3


def test_a_refused_move_changes_nothing(in_riverside: Place) -> None:
    visit, actor = book(in_riverside, at(in_riverside, 1, 9)), in_riverside.actor(Role.RECEPTIONIST)
    book(in_riverside, at(in_riverside, 1, 10))
    before = set(Claim.objects.filter(appointment=visit).values_list("resource_kind", "starts_at"))
    with pytest.raises(SlotTaken), transaction.atomic():  # as a request: an error rolls back
        reschedule_appointment(actor=actor, appointment_id=visit.pk, start=at(in_riverside, 1, 10))
    assert set(Claim.objects.filter(appointment=visit).values_list("resource_kind", "starts_at")) == before
    visit.refresh_from_db()
    assert visit.start == at(in_riverside, 1, 9).astimezone(UTC)


def test_a_patient_is_in_one_place_only(in_riverside: Place) -> None:
    visit = book(in_riverside, at(in_riverside, 1, 9))
    with pytest.raises(SlotTaken) as refused:
        book(in_riverside, visit.start, patient_id=visit.patient_id, provider_id=in_riverside.providers[1].pk)
    assert [detail.code for detail in refused.value.details] == ["patient_taken"]
    starts = {slot["start"] for slot in refused.value.extra["alternatives"]}
    assert not any(start.startswith(visit.start.isoformat()[:16]) for start in starts)


def test_the_last_room_is_given_once(in_riverside: Place) -> None:
    for provider in in_riverside.providers[:2]:
        book(in_riverside, at(in_riverside, 1, 9), provider_id=provider.pk)
    with pytest.raises(SlotTaken) as refused:
        book(in_riverside, at(in_riverside, 1, 9), provider_id=in_riverside.providers[2].pk)
    assert [detail.code for detail in refused.value.details] == ["room_taken"]


def test_buffers_are_kept_free_but_the_patient_is_not_held(in_riverside: Place) -> None:
    place, test = in_riverside, in_riverside.services[1]  # 10 minutes, 5 after
    visit = book(place, at(place, 1, 9), service_id=test.pk)
    with pytest.raises(SlotTaken):
        book(place, at(place, 1, 9, 10), service_id=test.pk)
    book(place, at(place, 1, 9, 10), service_id=test.pk, provider_id=place.providers[1].pk, patient_id=visit.patient_id)
    book(place, at(place, 1, 9, 15), service_id=test.pk)


def test_booking_on_the_day_the_clocks_change(in_riverside: Place) -> None:
    this_year = at(in_riverside, 0, 9).year
    changes = {}
    for year in (this_year + 1,):
        for month in (3, 10):
            changes[month] = max(date(year, month, day) for day in range(25, 32) if date(year, month, day).weekday() == 6)
    actor = system_actor(in_riverside.clinic.pk)
    for month, day in changes.items():
        provider = in_riverside.providers[0]
        ScheduleException.objects.create(
            provider=provider, kind="extra", first_day=day, last_day=day, start_time=time(0), end_time=time(4),
            location=in_riverside.locations[0],
        )  # fmt: skip
        slots = free_slots(actor=actor, service=in_riverside.services[0], first_day=day, last_day=day, provider_id=provider.pk)
        early = [slot for slot in slots if slot.start.hour < 4 and slot.start.date() == day]
        assert {slot.start.hour for slot in early} == ({0, 2, 3} if month == 3 else {0, 1, 2, 3})
        for slot in early[:: 6 if month == 3 else 3]:
            visit = book(in_riverside, slot.start)
            assert visit.end - visit.start == timedelta(minutes=20)
            assert visit.local_day == day


def test_a_naive_time_is_refused(in_riverside: Place) -> None:
    with pytest.raises(ValidationFailed) as refused:
        book_appointment(
            actor=in_riverside.actor(Role.RECEPTIONIST),
            patient_id=make_patient().pk,
            service_id=in_riverside.services[0].pk,
            provider_id=in_riverside.providers[0].pk,
            start=at(in_riverside, 1, 9).replace(tzinfo=None),
        )
    assert [(d.field, d.code) for d in refused.value.details] == [("start", "invalid")]
