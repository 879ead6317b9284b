"""Who acts, in which clinic, with which roles: what policies and services are given instead of a request."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from core.accounts.roles import PLATFORM_ROLES, Role, allowed
from core.audit.restricted import access_of
from core.errors import NotAllowed


@dataclass(frozen=True, slots=True)
class Actor:
    """A person (or HMS itself: `user_id` None) at work. `location_ids` empty means every location of the clinic."""

    user_id: UUID | None
    name: str
    clinic_id: UUID | None
    roles: frozenset[Role]
    location_ids: frozenset[UUID] = frozenset()
    membership_id: UUID | None = None

    def can(self, resource: str, action: str) -> bool:
        return allowed(self.roles, resource, action)

    def require(self, resource: str, action: str) -> None:
        """Raise NotAllowed unless the matrix lets one of the roles do it."""
        if not self.can(resource, action):
            raise NotAllowed(_("Your role does not allow this."))

    @property
    def is_platform(self) -> bool:
        return bool(self.roles & PLATFORM_ROLES)

    @property
    def is_patient_only(self) -> bool:
        return self.roles == frozenset({Role.PATIENT})

    @property
    def seen_as(self) -> tuple[tuple[str, ...], tuple[UUID, ...], UUID | None, tuple[UUID, ...]]:
        """What of the person decides which rows and fields are shown: part of the key of whatever is kept for others too.

        The restricted records that are open to them at this moment belong to it, so that nothing that is kept outlives an access.
        """
        own = self.user_id if self.is_patient_only else None
        opened = access_of(self.clinic_id, self.user_id).openings
        return tuple(sorted(self.roles)), tuple(sorted(self.location_ids)), own, tuple(sorted(opened))


def system_actor(clinic_id: UUID | None = None) -> Actor:
    """HMS itself: commands, demo data, the clock. Never a request."""
    return Actor(None, "HMS", clinic_id, frozenset({Role.SUPER_ADMIN, Role.CLINIC_ADMIN}))
