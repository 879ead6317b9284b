"""What a person is in the clinic: roles, places of work, and leaving."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from clinics.models import Department, Location
from core.accounts.actor import Actor
from core.accounts.models import Membership
from core.accounts.roles import CLINIC_ROLES
from core.accounts.services import change_member
from core.validators import Problems

NAMES = ("roles", "location_ids", "department_id", "state")


def change_place_of_work(*, actor: Actor, membership_id: UUID, changes: dict[str, Any]) -> Membership:
    """Change `roles`, `location_ids`, `department_id` or `state`. Who leaves has no access from the next request on; all they
    wrote stays. Raises NotFound, and ValidationFailed naming every wrong field. Up to five queries.
    """
    actor.require("membership", "change")
    problems = Problems()
    place = checked_place_of_work(
        roles=changes.get("roles", [next(iter(CLINIC_ROLES))]),
        location_ids=changes.get("location_ids", ()),
        department_id=changes.get("department_id"),
        problems=problems,
    )
    if "state" in changes and changes["state"] not in Membership.State.values:
        problems.add("state", "invalid_choice", _("Choose one of the list."))
    problems.raise_if_any()
    checked = {**place, "state": changes.get("state")}
    wanted = {name: checked[name] for name in NAMES if name in changes}
    return change_member(actor=actor, membership_id=membership_id, changes=wanted)


def checked_place_of_work(
    *, roles: Sequence[Any], location_ids: Sequence[Any], department_id: Any, problems: Problems
) -> dict[str, Any]:
    """The three as they are stored; what is wrong goes into `problems`. At most two queries."""
    if not roles or any(role not in CLINIC_ROLES for role in roles):
        problems.add("roles", "invalid", _("Choose at least one role of the clinic."))
    locations = _known(Location, location_ids)
    if locations is None:
        problems.add("location_ids", "does_not_exist", _("There is no such location."))
    departments = _known(Department, [department_id] if department_id else [])
    if departments is None:
        problems.add("department_id", "does_not_exist", _("There is no such department."))
    return {
        "roles": [str(role) for role in roles],
        "location_ids": locations or [],
        "department_id": departments[0] if departments else None,
    }


def _known(model: type[Any], ids: Sequence[Any]) -> list[UUID] | None:
    """The ids of this clinic's records, or None if one is of none."""
    try:
        wanted = {one if isinstance(one, UUID) else UUID(str(one)) for one in ids}
    except ValueError:
        return None
    if not wanted:
        return []
    known = list(model.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    return known if len(known) == len(wanted) else None
