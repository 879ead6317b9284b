"""Looks at records that are worth a question: from the access log, beside who had a visit, who is called alike, and when."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from core.accounts.actor import Actor
from core.accounts.models import User
from core.tenancy.context import current_clinic_id
from patients.names import name_parts

LINKED_DAYS = 30  # a visit so near before or after a look is its reason
OPENS, CLOSES = 6, 21  # hours of the clinic's clock between which a look surprises nobody
MANY = 80  # records that one person opened on one day
MOST = 200  # rows of the report

# Lists and searches show many in passing: only what was opened, printed or taken out counts.
PAIRS = """
WITH looked AS (
    SELECT e.user_id, p.patient_id, min(e.at) AS first, max(e.at) AS last, count(*) AS times,
        bool_or(extract(hour FROM e.at AT TIME ZONE %(zone)s) NOT BETWEEN %(opens)s AND %(closes)s - 1) AS after_hours
    FROM core_accessevent e
    JOIN core_accessedpatient p ON p.clinic_id = e.clinic_id AND p.at = e.at AND p.event_id = e.event_id
    WHERE e.clinic_id = %(clinic)s AND p.clinic_id = %(clinic)s AND e.at >= %(since)s AND p.at >= %(since)s
        AND e.reading IN ('view', 'print', 'export') AND e.user_id IS NOT NULL
    GROUP BY e.user_id, p.patient_id
), judged AS (
    SELECT l.*, t.mrn, t.given_name, t.family_name,
        NOT EXISTS (SELECT FROM appointments_appointment a WHERE a.clinic_id = %(clinic)s AND a.patient_id = l.patient_id
            AND a.start BETWEEN l.first - %(near)s AND l.last + %(near)s)
            AND t.created_at < l.first - interval '1 day' AS unlinked,
        EXISTS (SELECT FROM unnest(%(readers)s::uuid[], %(names)s::text[]) AS r (user_id, family)
            WHERE r.user_id = l.user_id AND r.family <> '' AND r.family = t.family_norm) AS same_name
    FROM looked l JOIN patients_patient t ON t.clinic_id = %(clinic)s AND t.id = l.patient_id
    WHERE NOT EXISTS (SELECT FROM patients_patientaccount o
        WHERE o.clinic_id = %(clinic)s AND o.user_id = l.user_id AND o.patient_id = l.patient_id)
)
SELECT user_id, patient_id, mrn, given_name, family_name, last, times, unlinked, same_name, after_hours FROM judged
WHERE unlinked OR same_name OR after_hours
ORDER BY same_name::int * 2 + unlinked::int + after_hours::int DESC, last DESC, patient_id LIMIT %(most)s
"""
DAYS = """
SELECT e.user_id, (e.at AT TIME ZONE %(zone)s)::date AS day, count(DISTINCT p.patient_id) AS records
FROM core_accessevent e JOIN core_accessedpatient p ON p.clinic_id = e.clinic_id AND p.at = e.at AND p.event_id = e.event_id
WHERE e.clinic_id = %(clinic)s AND p.clinic_id = %(clinic)s AND e.at >= %(since)s AND p.at >= %(since)s
    AND e.reading IN ('view', 'print', 'export') AND e.user_id IS NOT NULL
GROUP BY e.user_id, day HAVING count(DISTINCT p.patient_id) >= %(many)s
ORDER BY records DESC, day DESC LIMIT %(most)s
"""
READERS = "SELECT DISTINCT user_id FROM core_accessevent WHERE clinic_id = %s AND at >= %s AND user_id IS NOT NULL"


@dataclass(frozen=True, slots=True)
class UnusualLook:
    """Somebody opened a record, `times` times, last at `at`; and why that is worth a question."""

    user_id: UUID
    person: str
    patient_id: UUID
    mrn: str
    patient_name: str
    at: datetime
    times: int
    no_visit: bool
    same_name: bool
    after_hours: bool


@dataclass(frozen=True, slots=True)
class BusyDay:
    """Somebody opened very many records on one day of the clinic."""

    person: str
    day: date
    records: int


@dataclass(frozen=True, slots=True)
class UnusualAccess:
    """`looks`: the strongest reasons first, then the newest; `whole` False when there are more."""

    looks: list[UnusualLook]
    days: list[BusyDay]
    whole: bool


def unusual_access(*, actor: Actor, days: int, now: datetime | None = None) -> UnusualAccess:
    """What stands out in the last so many days. Four queries; they read the clinic's part of the log of these months."""
    actor.require("access_log", "review")
    since = (now or timezone.now()) - timedelta(days=days)
    clinic_id = current_clinic_id()
    with connection.cursor() as cursor:
        cursor.execute(READERS, [clinic_id, since])
        people = dict(User.objects.filter(pk__in=[pk for (pk,) in cursor.fetchall()]).values_list("pk", "full_name"))
        given: dict[str, Any] = {
            "clinic": clinic_id, "since": since, "zone": str(timezone.get_current_timezone()), "opens": OPENS, "closes": CLOSES,
            "near": timedelta(days=LINKED_DAYS), "many": MANY, "most": MOST + 1,
            "readers": list(people), "names": [_family(name) for name in people.values()],
        }  # fmt: skip
        cursor.execute(PAIRS, given)
        looks = [_look(people, *row) for row in cursor.fetchall()]
        cursor.execute(DAYS, given)
        busy = [BusyDay(people.get(user_id, ""), day, records) for user_id, day, records in cursor.fetchall()]
    return UnusualAccess(looks[:MOST], busy[:MOST], whole=len(looks) <= MOST)


def _family(name: str) -> str:
    """The last word of a person's name, as patients' family names are compared."""
    parts = name_parts(name)
    return parts[-1] if parts else ""


def _look(
    people: dict[UUID, str], user_id: UUID, patient_id: UUID, mrn: str, given: str, family: str, last: datetime, times: int,
    unlinked: bool, same_name: bool, after_hours: bool,
) -> UnusualLook:  # fmt: skip
    name = f"{given} {family}".strip()
    return UnusualLook(
        user_id, people.get(user_id, ""), patient_id, mrn, name, last, times, unlinked, same_name, after_hours
    )  # fmt: skip
