"""Who acts, in which clinic, with which roles: what policies and services are given instead of a request."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from core.accounts.roles import PLATFORM_ROLES, Role, allowed
from core.audit.restricted import access_of
from core.errors import Detail, NotAllowed


@dataclass(frozen=True, slots=True)
class Actor:
    """A person (or HMS itself: `user_id` None) at work. `location_ids` empty means every location of the clinic.

    `scopes` are another system's, with an API key: it has no role, and may do what they name (`resource:action`) alone.
    """

    user_id: UUID | None
    name: str
    clinic_id: UUID | None
    roles: frozenset[Role]
    location_ids: frozenset[UUID] = frozenset()
    membership_id: UUID | None = None
    scopes: frozenset[str] | None = None

    def can(self, resource: str, action: str) -> bool:
        by_role = allowed(self.roles, resource, action)
        return by_role if self.scopes is None else f"{resource}:{action}" in self.scopes

    def require(self, resource: str, action: str) -> None:
        """Raise NotAllowed unless the matrix lets one of the roles do it, or a key has the scope: else it is named."""
        if self.can(resource, action):
            return
        if self.scopes is None:
            raise NotAllowed(_("Your role does not allow this."))
        message = _("This API key lacks the scope %(scope)s.") % {"scope": f"{resource}:{action}"}
        raise NotAllowed(message, [Detail("", "scope_required", message)])

    @property
    def is_platform(self) -> bool:
        return bool(self.roles & PLATFORM_ROLES)

    @property
    def is_patient_only(self) -> bool:
        return self.roles == frozenset({Role.PATIENT})

    @property
    def seen_as(self) -> tuple[tuple[str, ...], tuple[UUID, ...], UUID | None, tuple[str, ...] | None, tuple[UUID, ...]]:
        """What of the person decides which rows and fields are shown: part of the key of whatever is kept for others too.

        The restricted records that are open to them at this moment belong to it, so that nothing that is kept outlives an access.
        """
        own = self.user_id if self.is_patient_only else None
        scopes = None if self.scopes is None else tuple(sorted(self.scopes))
        opened = access_of(self.clinic_id, self.user_id).openings
        return tuple(sorted(self.roles)), tuple(sorted(self.location_ids)), own, scopes, tuple(sorted(opened))


def system_actor(clinic_id: UUID | None = None) -> Actor:
    """HMS itself: commands, demo data, the clock. Never a request."""
    return Actor(None, "HMS", clinic_id, frozenset({Role.SUPER_ADMIN, Role.CLINIC_ADMIN}))
