"""The emergency accesses to restricted records, as those see them who judge them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from core.accounts.actor import Actor
from core.audit.break_glass import BreakGlass, BreakGlassQuerySet
from core.audit.models import READINGS
from core.audit.subjects import Reading
from core.cache import TTL, Tag, cached
from core.errors import NotFound
from core.tenancy.context import current_clinic_id
from patients.models import Patient

# By the reason in the log, not by time alone: that reason is written with the answer.
LOOKS = """
SELECT g.id, e.route, e.reading, count(*), max(e.at)
FROM core_breakglass g
JOIN core_accessedpatient p ON p.clinic_id = g.clinic_id AND p.patient_id = g.patient_id
    AND p.at >= g.opened_at AND p.at < coalesce(g.ended_at, g.expires_at) + interval '1 minute'
JOIN core_accessevent e ON e.clinic_id = p.clinic_id AND e.at = p.at AND e.event_id = p.event_id
WHERE g.clinic_id = %(clinic)s AND g.id = ANY(%(ids)s) AND e.user_id = g.user_id AND e.why LIKE 'break-glass %%' || g.id::text
GROUP BY g.id, e.route, e.reading ORDER BY g.id, max(e.at)
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What was looked at by one route, how often, and when last."""

    route: str
    reading: Reading
    times: int
    last: datetime

    @property
    def reading_words(self) -> str:
        return str(READINGS[self.reading])


@dataclass(frozen=True, slots=True)
class EmergencyAccess:
    """One access with the names a row shows. `may_judge`: it waits for a verdict, and this person may give one."""

    access: BreakGlass
    mrn: str
    looks: tuple[Look, ...]
    may_judge: bool


def emergency_accesses(*, actor: Actor, waiting: bool = True, limit: int = 50, skip: int = 0) -> list[EmergencyAccess]:
    """`waiting`: those without a verdict, the oldest first; else all, the newest first. Three queries."""
    actor.require("break_glass", "view")
    rows = visible_accesses(actor).select_related("user", "reviewed_by")
    rows = rows.without_verdict().order_by("opened_at", "id") if waiting else rows.order_by("-opened_at", "-id")
    return _told(actor, list(rows[skip : skip + limit]))


def emergency_access(*, actor: Actor, access_id: UUID) -> EmergencyAccess:
    """One of them. Raises NotFound. Three queries."""
    actor.require("break_glass", "view")
    found = _told(actor, list(visible_accesses(actor).select_related("user", "reviewed_by").filter(pk=access_id)))
    if not found:
        raise NotFound("There is no such emergency access.")
    return found[0]


def visible_accesses(actor: Actor) -> BreakGlassQuerySet:
    """All of the clinic's for those who may view them; else none."""
    rows: BreakGlassQuerySet = BreakGlass.objects.all()
    return rows if actor.can("break_glass", "view") else rows.none()


@cached("patients.accesses_to_judge", ttl=TTL.DASHBOARD, tags=lambda: [Tag.all(BreakGlass)])
def accesses_to_judge() -> int:
    """How many have no verdict yet. No query, or one."""
    return BreakGlass.objects.without_verdict().count()


def _told(actor: Actor, rows: list[BreakGlass]) -> list[EmergencyAccess]:
    mrns = dict(Patient.objects.filter(pk__in={row.patient_id for row in rows}).values_list("pk", "mrn")) if rows else {}
    looks = _looks([row.pk for row in rows]) if rows else {}
    reviews = actor.can("break_glass", "review")
    return [
        EmergencyAccess(
            row,
            mrns.get(row.patient_id, ""),
            tuple(looks.get(row.pk, ())),
            reviews and not row.verdict and not row.is_running and row.user_id != actor.user_id,
        )
        for row in rows
    ]


def _looks(ids: list[UUID]) -> dict[UUID, list[Look]]:
    found: dict[UUID, list[Look]] = {}
    with connection.cursor() as cursor:
        cursor.execute(LOOKS, {"clinic": current_clinic_id(), "ids": ids})
        for pk, route, reading, times, last in cursor.fetchall():
            found.setdefault(pk, []).append(Look(route, Reading(reading), times, last))
    return found
