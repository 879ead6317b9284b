"""The visits of a scale clinic, with history and claims as booking and the front desk would have written them.

Visits lie on a grid of slots, one provider's visit in one slot, and a patient is in one slot at a time at most: so no two
claims overlap, which the exclusion constraint confirms when it is put back.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from appointments.models import Appointment
from core.accounts.roles import Role
from hms.demo.visits import CANCEL_REASONS, NOTES
from hms.scale.furniture import HOURS, Furnished
from hms.scale.size import SLOT_MINUTES, WEEKDAYS, Size

TURNOVER = 1.3  # how unevenly visits fall on patients: 1 is evenly

VISITS = """
INSERT INTO scale.visit (
    id, clinic_id, patient_id, service_id, provider_id, location_id, room_id, start, "end", taken_until, time_zone, local_day,
    status, source, is_urgent, notes, created_at, asked, confirmed_at, checked_in_at, started_at, completed_at, ended_at,
    reason, updated_at, version)
WITH cell AS (
    SELECT shift.*, day::date AS day, (day + slot) AT TIME ZONE %(zone)s AS start,
        1 + floor(%(patients)s * random() ^ %(turnover)s)::int AS who, random() AS chosen
    FROM unnest(%(providers)s::uuid[], %(weekdays)s::int[], %(locations)s::uuid[], %(rooms)s::uuid[], %(treatment)s::uuid[])
        AS shift (provider_id, weekday, location_id, room_id, treatment_id)
    JOIN generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 day') AS day
        ON extract(isodow FROM day) = weekday + 1
    CROSS JOIN unnest(%(slots)s::time[]) AS slot
), visit AS (
    SELECT * FROM (SELECT DISTINCT ON (start, who) * FROM cell ORDER BY start, who, chosen) AS possible
    ORDER BY chosen LIMIT %(count)s
), offer AS (
    SELECT *, row_number() OVER (PARTITION BY provider_id) AS number, count(*) OVER (PARTITION BY provider_id) AS of
    FROM unnest(%(offer_providers)s::uuid[], %(offer_services)s::uuid[], %(minutes)s::int[], %(after)s::int[], %(needs)s::bool[])
        AS offer (provider_id, service_id, minutes, after, needs_room)
), rolled AS (
    SELECT visit.*, start + make_interval(mins => %(slot_minutes)s) <= %(now)s AS over, random() AS fate, random() AS origin,
        random() AS haste, random() AS pick,
        date_trunc('minute', least(start, %(now)s)
            - make_interval(mins => 150 + least(43200, -ln(1 - random()) * 8640)::int)) AS booked
    FROM visit
), planned AS (
    SELECT rolled.*, patient.id AS patient_id, service_id, minutes, after,
        coalesce(room_id, CASE WHEN needs_room THEN treatment_id END) AS room,
        CASE WHEN over AND fate < 0.075 THEN 'cancelled' WHEN over AND fate < 0.14 THEN 'no_show' WHEN over THEN 'completed'
            WHEN start <= %(now)s THEN 'in_progress'
            WHEN start <= %(now)s + make_interval(mins => %(slot_minutes)s) AND fate < 0.7 THEN 'checked_in'
            WHEN fate > 0.95 THEN 'cancelled' WHEN fate > 0.87 THEN 'requested' ELSE 'confirmed' END AS status
    FROM rolled
    JOIN offer ON offer.provider_id = rolled.provider_id AND offer.number = 1 + floor(pick * of)::int
    JOIN scale.patient ON patient.number = who
), dated AS (
    SELECT planned.*, status = 'requested' OR origin > 0.82 AND origin <= 0.96 AS asked,
        CASE WHEN status = 'completed' THEN start + make_interval(mins => (haste * 3)::int)
            WHEN status = 'in_progress' THEN least(start + interval '1 minute', %(now)s) END AS began
    FROM planned
), told AS (
    SELECT dated.*,
        CASE WHEN asked AND status NOT IN ('requested', 'cancelled')
            THEN booked + make_interval(mins => 10 + (haste * 30)::int) END AS confirmed,
        CASE WHEN began IS NOT NULL THEN least(began, start) - make_interval(mins => 1 + (haste * 11)::int)
            WHEN status = 'checked_in' THEN %(now)s - make_interval(mins => 1 + (haste * 11)::int) END AS arrived,
        CASE WHEN status = 'completed' THEN least(began + make_interval(mins => ceil(minutes * (0.6 + 0.4 * fate))::int),
            start + make_interval(mins => %(slot_minutes)s)) END AS finished,
        CASE WHEN status = 'cancelled' THEN booked + (least(start, %(now)s) - booked) * haste
            WHEN status = 'no_show' THEN start + make_interval(mins => 16 + (haste * 4)::int) END AS off
    FROM dated
)
SELECT scale.uuid7(booked), %(clinic)s, patient_id, service_id, provider_id, location_id, room, start,
    start + make_interval(mins => minutes), start + make_interval(mins => minutes + after), %(zone)s, day,
    status, CASE WHEN asked THEN 'portal' WHEN origin > 0.96 THEN 'api' ELSE 'staff' END, false,
    CASE WHEN random() < 0.18 THEN (%(notes)s::text[])[1 + floor(pick * cardinality(%(notes)s::text[]))::int] ELSE '' END,
    booked, asked, confirmed, arrived, began, finished, off,
    CASE WHEN status = 'cancelled' THEN (%(reasons)s::text[])[1 + floor(pick * cardinality(%(reasons)s::text[]))::int] ELSE '' END,
    greatest(booked, confirmed, arrived, began, finished, off), 1 + num_nonnulls(confirmed, arrived, began, finished, off)
FROM told
"""
CHANGES = """
INSERT INTO appointments_appointmentchange (
    id, clinic_id, appointment_id, at, kind, actor_id, actor_name, from_status, to_status, to_start, to_provider_id, reason)
SELECT scale.uuid7(at), clinic_id, visit.id, at, kind,
    CASE who WHEN 'desk' THEN %(desk)s::uuid WHEN 'doctor' THEN %(doctor)s::uuid END,
    CASE who WHEN 'desk' THEN %(desk_name)s WHEN 'doctor' THEN %(doctor_name)s ELSE 'Patient portal' END,
    from_status, to_status, CASE WHEN kind = 'booked' THEN start END, CASE WHEN kind = 'booked' THEN provider_id END,
    CASE WHEN step = 6 THEN visit.reason ELSE '' END
FROM scale.visit, LATERAL (VALUES
    (1, created_at, 'booked', CASE WHEN asked THEN 'portal' ELSE 'desk' END, '',
        CASE WHEN asked THEN 'requested' ELSE 'confirmed' END),
    (2, confirmed_at, 'status', 'desk', 'requested', 'confirmed'),
    (3, checked_in_at, 'status', 'desk', 'confirmed', 'checked_in'),
    (4, started_at, 'status', 'doctor', 'checked_in', 'in_progress'),
    (5, completed_at, 'status', 'doctor', 'in_progress', 'completed'),
    (6, ended_at, 'status', 'desk', CASE WHEN asked AND confirmed_at IS NULL THEN 'requested' ELSE 'confirmed' END, status)
) AS line (step, at, kind, who, from_status, to_status)
WHERE at IS NOT NULL ORDER BY visit.created_at, visit.id, step
"""
CLAIMS = """
INSERT INTO appointments_claim (id, clinic_id, resource_kind, resource_id, during, starts_at, ends_at, appointment_id)
SELECT scale.uuid7(created_at), clinic_id, kind, resource, tstzrange(start, until, '[)'), start, until, visit.id
FROM scale.visit, LATERAL (VALUES
    ('patient', patient_id, "end"), ('provider', provider_id, taken_until), ('room', room_id, taken_until)
) AS wanted (kind, resource, until)
WHERE status NOT IN ('cancelled', 'no_show') AND resource IS NOT NULL ORDER BY created_at, visit.id, kind
"""


class TooFewPlaces(RuntimeError):
    """The grid has not as many places as visits are wanted."""


def days_of(size: Size, today: date) -> tuple[date, date]:
    """The first and last day with visits; today, or the Monday after it, is among them."""
    while today.weekday() >= WEEKDAYS:
        today += timedelta(days=1)
    last = _weekdays_on(today, size.coming_days)
    return _weekdays_on(today, -(size.days - size.coming_days - 1)), last


def book_all(made: Furnished, size: Size, count: int, now: datetime) -> None:
    """Visits with history and claims. Runs inside the clinic's transaction, after its patients."""
    first, last = days_of(size, now.astimezone(made.clinic.zone).date())
    desk, doctor = made.users[Role.RECEPTIONIST], made.users[Role.DOCTOR]
    shifts = [one for one in made.shifts if one.start_time == HOURS[0][0]]
    values: dict[str, Any] = {
        "clinic": made.clinic.pk, "zone": made.clinic.time_zone, "patients": size.patients, "turnover": TURNOVER,
        "first": first, "last": last, "now": now, "count": count, "slot_minutes": SLOT_MINUTES, "slots": _slots(),
        "providers": [one.provider_id for one in shifts], "weekdays": [one.weekday for one in shifts],
        "locations": [one.location_id for one in shifts], "rooms": [one.room_id for one in shifts],
        "treatment": [made.treatment_rooms[one.location_id].pk for one in shifts],
        "offer_providers": [one.provider_id for one in made.offers], "offer_services": [one.service_id for one in made.offers],
        "minutes": [one.service.duration_minutes for one in made.offers],
        "after": [one.service.buffer_after_minutes for one in made.offers],
        "needs": [bool(one.service.room_kind) for one in made.offers],
        "notes": list(NOTES), "reasons": list(CANCEL_REASONS),
        "desk": desk.pk, "desk_name": desk.full_name, "doctor": doctor.pk, "doctor_name": doctor.full_name,
    }  # fmt: skip
    columns = ", ".join(f'"{one.column}"' for one in Appointment._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scale.visit")
        cursor.execute(VISITS, values)
        if cursor.rowcount != count:
            raise TooFewPlaces(f"{count} visits were wanted, there is place for {cursor.rowcount}.")
        cursor.execute(
            f"INSERT INTO appointments_appointment ({columns}) SELECT {columns} FROM scale.visit ORDER BY created_at, id"
        )
        cursor.execute(CHANGES, values)
        cursor.execute(CLAIMS)


def first_visit_of(made: Furnished, size: Size, now: datetime) -> datetime:
    """Before this moment all patients are registered: no visit is booked earlier."""
    first, _ = days_of(size, now.astimezone(made.clinic.zone).date())
    return datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=40)


def _slots() -> list[str]:
    slots = []
    for opens, closes in HOURS:
        for minute in range(opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute - SLOT_MINUTES + 1, SLOT_MINUTES):
            slots.append(f"{minute // 60:02d}:{minute % 60:02d}")
    return slots


def _weekdays_on(day: date, count: int) -> date:
    step = timedelta(days=1 if count > 0 else -1)
    while count:
        day += step
        if day.weekday() < WEEKDAYS:
            count -= 1 if step.days > 0 else -1
    return day
