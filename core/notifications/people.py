"""Whom something concerns: the people of a clinic by their roles."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from core.accounts.models import Membership
from core.accounts.roles import Role


def people_of(clinic_id: UUID, roles: Iterable[Role], *, location_id: UUID | None = None, also: UUID | None = None) -> list[UUID]:
    """The users who work there in one of the roles; with a location only those who work at it. `also` is somebody of the clinic
    whatever their role. One query, in the clinic's scope or across clinics."""
    wanted = Q(roles__overlap=list(roles))
    if location_id is not None:
        wanted &= Q(location_ids=[]) | Q(location_ids__contains=[location_id])
    if also is not None:
        wanted |= Q(user_id=also)
    here = Membership.objects.filter(wanted, clinic_id=clinic_id, state=Membership.State.ACTIVE, user__is_active=True)
    return list(here.values_list("user_id", flat=True))
