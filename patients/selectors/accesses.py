"""Who has looked at a patient, from the access log."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.audit.break_glass import category_of
from core.audit.models import READINGS, AccessedPatient, AccessEvent
from core.audit.subjects import Reading
from core.tenancy.context import current_clinic_id


@dataclass(frozen=True, slots=True)
class Access:
    """One request that showed the patient. `person` is empty for one whose account is gone; `roles` are those they have here now.

    `address` and `request_id` are empty for a patient who asks about themselves: they are the staff's.
    """

    at: datetime
    user_id: UUID | None
    person: str
    roles: tuple[Role, ...]
    reading: Reading
    route: str
    method: str
    status: int
    address: str
    request_id: str
    why: str

    @property
    def reading_words(self) -> str:
        return str(READINGS[self.reading])

    @property
    def why_words(self) -> str:
        """“Emergency access: Safeguarding”, or whatever else was given as the reason."""
        category = category_of(self.why)
        return _("Emergency access: %(category)s") % {"category": category.label} if category else self.why

    @property
    def role_words(self) -> str:
        return ", ".join(str(role.label) for role in self.roles)


def accesses_of(*, actor: Actor, patient_id: UUID, limit: int, before: datetime | None = None) -> list[Access]:
    """The newest first, from before that moment on. The caller has seen that the patient is one whom this person may see.

    Four queries, of which the first two read the months concerned alone.
    """
    actor.require("access_log", "view")
    rows = AccessedPatient.objects.filter(patient_id=patient_id)
    if before is not None:
        rows = rows.filter(at__lt=before)
    keys = list(rows.order_by("-at", "-event_id").values_list("at", "event_id")[:limit])
    if not keys:
        return []
    moments, ids = {at for at, _ in keys}, {event_id for _, event_id in keys}
    events = list(AccessEvent.objects.filter(at__in=moments, event_id__in=ids).order_by("-at", "-event_id"))
    people = {event.user_id for event in events if event.user_id}
    names = dict(User.objects.filter(pk__in=people).values_list("pk", "full_name"))
    roles = dict(Membership.objects.filter(user_id__in=people, clinic_id=current_clinic_id()).values_list("user_id", "roles"))
    return [_access(event, names, roles, for_patient=actor.is_patient_only) for event in events]


def _access(event: AccessEvent, names: dict[UUID, str], roles: dict[UUID, list[str]], *, for_patient: bool) -> Access:
    user_id = event.user_id or UUID(int=0)
    return Access(
        at=event.at,
        user_id=event.user_id,
        person=names.get(user_id, ""),
        roles=tuple(Role(role) for role in roles.get(user_id, ())),
        reading=Reading(event.reading),
        route=event.route,
        method=event.method,
        status=event.status,
        address="" if for_patient else event.address,
        request_id="" if for_patient else event.request_id,
        why=event.why,
    )
