"""Which visits their patients are to be reminded of now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from appointments.choices import MOVABLE, ReminderKind
from core.tenancy.context import current_clinic_id

TOO_LATE = timedelta(minutes=30)  # before the visit: whoever is reminded then is on the way, or booked a moment ago
HORIZON = timedelta(hours=336)  # the earliest reminder that a service may have

# Of a service's two reminders the later one whose time has come; so who books within the time of the first one gets that at once,
# and after an outage nobody gets both.
DUE = """
SELECT a.id, a.start, due.kind
FROM appointments_appointment a
JOIN appointments_service s ON s.clinic_id = a.clinic_id AND s.id = a.service_id
CROSS JOIN LATERAL (
    SELECT one.kind FROM (VALUES ('first', s.reminder_hours), ('second', s.second_reminder_hours)) AS one(kind, hours)
    WHERE one.hours > 0 AND a.start <= %(now)s + one.hours * interval '1 hour' ORDER BY one.hours LIMIT 1
) AS due
WHERE a.clinic_id = %(clinic)s AND a.start > %(from)s AND a.start <= %(until)s AND a.status = ANY(%(statuses)s)
AND (a.start, a.id) > (%(after_start)s, %(after_id)s)
AND NOT EXISTS (
    SELECT FROM appointments_reminder r
    WHERE r.clinic_id = a.clinic_id AND r.appointment_id = a.id AND r.kind = due.kind AND r.start = a.start
)
ORDER BY a.start, a.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class DueReminder:
    """One visit, as it is now."""

    appointment_id: UUID
    start: datetime
    kind: ReminderKind


def due_reminders(*, now: datetime, after: DueReminder | None = None, limit: int = 500) -> list[DueReminder]:
    """The visits of the scope's clinic of which a reminder is due, the soonest first, behind `after`. One query.

    A visit that is cancelled, missed or under way is none of them; one that was moved is again, with its new start. For HMS itself:
    whose visits somebody may see is not asked.
    """
    values: dict[str, Any] = {
        "clinic": current_clinic_id(),
        "now": now,
        "from": now + TOO_LATE,
        "until": now + HORIZON,
        "statuses": [status.value for status in MOVABLE],
        "after_start": after.start if after else now,
        "after_id": after.appointment_id if after else UUID(int=0),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(DUE, values)
        return [DueReminder(pk, start, ReminderKind(kind)) for pk, start, kind in cursor.fetchall()]
