"""Which clinics, people and memberships a person may see."""

from django.db.models import QuerySet

from clinics.models import Invitation
from core.accounts.actor import Actor
from core.accounts.models import Membership
from core.accounts.roles import Role
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic


def visible_clinics(actor: Actor | None, memberships: list[Membership]) -> QuerySet[Clinic]:
    """Those one belongs to; all of them for a platform role; for an API key its own."""
    clinics = Clinic.objects.all()
    if actor is not None and actor.is_platform:
        return clinics
    if actor is not None and actor.scopes is not None:
        return clinics.filter(pk__in=[actor.clinic_id])
    return clinics.filter(pk__in=[membership.clinic_id for membership in memberships])


def visible_memberships(actor: Actor) -> QuerySet[Membership]:
    """All of the clinic's, patients' and former ones too."""
    if not actor.can("membership", "view"):
        return Membership.objects.none()
    return _memberships()


def visible_invitations(actor: Actor) -> QuerySet[Invitation]:
    """Those that nobody has answered, for whoever may invite."""
    if not actor.can("membership", "create"):
        return Invitation.objects.none()
    return Invitation.objects.unanswered()


def visible_staff(actor: Actor) -> QuerySet[Membership]:
    """Who works in the clinic now."""
    if not actor.can("staff", "view"):
        return Membership.objects.none()
    return _memberships().filter(state=Membership.State.ACTIVE).exclude(roles=[Role.PATIENT])


def _memberships() -> QuerySet[Membership]:
    # Row-level security also shows one's own memberships in other clinics.
    rows: QuerySet[Membership] = Membership.objects.filter(clinic_id=current_clinic_id()).select_related("user")
    return rows
