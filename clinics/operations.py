"""What HMS reads about a clinic's parts, by name."""

from typing import Any

from clinics import selectors
from clinics.policies import visible_memberships, visible_staff
from core.accounts.actor import Actor, system_actor
from core.database.advice import accept
from core.database.optimizer import optimizer
from core.operations import PEOPLE_STAY
from core.tenancy.context import current_clinic_id


def as_anybody() -> dict[str, Any]:
    """The arguments of an operation that needs nothing but who asks."""
    return {"actor": system_actor(current_clinic_id())}


def _staff(actor: Actor) -> Any:
    return list(visible_staff(actor).order_by("id")[:26])


def _memberships(actor: Actor) -> Any:
    return list(visible_memberships(actor).order_by("id")[:26])


def register() -> None:
    for subject in ("clinics_provider(user_id)", "clinics_invitation(invited_by_id)", "clinics_invitation(accepted_by_id)"):
        accept(subject, PEOPLE_STAY)
    optimizer.register("clinics.settings", selectors.clinic_settings, as_anybody)
    optimizer.register("clinics.locations", selectors.locations_in_use, as_anybody)
    optimizer.register("clinics.departments", selectors.departments_in_use, as_anybody)
    optimizer.register("clinics.rooms", selectors.rooms_in_use, as_anybody)
    optimizer.register("clinics.providers", selectors.providers_in_use, as_anybody)
    optimizer.register("clinics.staff", _staff, as_anybody)
    optimizer.register("clinics.memberships", _memberships, as_anybody)
