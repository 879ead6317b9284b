"""Booking: what is taken, what is refused, and what is offered instead."""

from datetime import timedelta

import pytest

from appointments.choices import ResourceKind, Status
from appointments.errors import SlotTaken
from appointments.models import Claim
from tests.factories.visits import at, book
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
