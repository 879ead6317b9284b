"""Booking: what is taken, what is refused, and what is offered instead."""

from datetime import timedelta

import pytest

from appointments.choices import ResourceKind, Status
from appointments.errors import SlotTaken
from appointments.models import Claim
from appointments.selectors import free_slots, nearest_slots
from appointments.selectors.availability import NEAR, OF_EACH
from core.accounts.actor import system_actor
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place


def test_a_booked_visit_holds_patient_provider_and_room(in_riverside: Place) -> None:
    visit = book(in_riverside, at(in_riverside, 1, 9))
    assert visit.status == Status.CONFIRMED
    assert visit.end - visit.start == timedelta(minutes=20)
    assert {claim.resource_kind for claim in Claim.objects.filter(appointment=visit)} == set(ResourceKind)
    assert [change.kind for change in visit.changes.all()] == ["booked"]


def test_a_taken_slot_is_refused_with_the_nearest_free_ones(in_riverside: Place) -> None:
    start = at(in_riverside, 1, 9)
    book(in_riverside, start)
    with pytest.raises(SlotTaken) as refused:
        book(in_riverside, start)
    assert [detail.code for detail in refused.value.details] == ["provider_taken"]
    offered = refused.value.extra["alternatives"]
    assert len(offered) == 6
    assert [slot["provider"]["name"] for slot in offered[:3]] == [in_riverside.providers[0].name] * 3
    assert offered[0]["start"].startswith((start + timedelta(minutes=20)).isoformat()[:16]) or offered[0]["start"].startswith(
        (start - timedelta(minutes=20)).isoformat()[:16]
    )


@pytest.mark.parametrize(("days", "hour"), [(1, 9), (1, 13), (2, 16), (3, 3)])
@pytest.mark.parametrize("full", [0, 12], ids=["empty", "a full morning"])
def test_the_nearest_are_those_of_a_look_at_all_that_is_free(in_riverside: Place, days: int, hour: int, full: int) -> None:
    """However far one has to look for one side and for the other."""
    for number in range(full):
        book(in_riverside, at(in_riverside, 1, 9) + timedelta(minutes=20 * number), patient_id=make_patient().pk)
    actor, service, provider = system_actor(in_riverside.clinic.pk), in_riverside.services[0], in_riverside.providers[0]
    near = at(in_riverside, days, hour)
    everything = free_slots(actor=actor, service=service, first_day=near.date() - NEAR, last_day=near.date() + NEAR)
    everything.sort(key=lambda slot: (abs(slot.start - near), slot.start))
    same = [slot for slot in everything if slot.provider.id == provider.pk]
    others = [slot for slot in everything if slot.provider.id != provider.pk]
    found = nearest_slots(actor=actor, service=service, near=near, provider_id=provider.pk)
    own = max(OF_EACH, 2 * OF_EACH - len(others))
    expected = same[:own] + others[: 2 * OF_EACH - len(same[:own])]
    assert [(slot.start, slot.provider.id, slot.room) for slot in found] == [(s.start, s.provider.id, s.room) for s in expected]
