"""What is asked of a clinic's own tables, in its words."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from core.tenancy.querysets import ClinicQuerySet

if TYPE_CHECKING:
    from clinics.models import Invitation  # noqa: F401  (named in a string)


class InvitationQuerySet(ClinicQuerySet["Invitation"]):
    """Invitations of the scope's clinic."""

    def unanswered(self) -> Self:
        """Neither accepted nor withdrawn; those that are too old as well."""
        return self.filter(accepted_at=None, withdrawn_at=None)

    def valid_at(self, now: datetime) -> Self:
        """Those by which somebody may join."""
        return self.unanswered().filter(expires_at__gt=now)
