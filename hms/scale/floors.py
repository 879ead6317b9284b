"""What the database alone needs: one hand-written statement for each of the operations that matter most.

Each takes the operation's arguments and gives a statement with its values, or the tokens and columns of the same rows.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from core.tenancy.context import current_clinic_id
from core.tenancy.ids import new_id
from patients import tokens
from patients.names import digits_of, name_parts

type Statement = tuple[str, Mapping[str, Any]]
type Floor = Callable[[Mapping[str, Any]], Statement]

ROW = "id, mrn, given_name, middle_name, family_name, preferred_name, date_of_birth, sex, phone, email, status, version, updated_at"
PAGE = f"SELECT {ROW} FROM patients_patient WHERE clinic_id = %(clinic)s AND status <> 'merged' ORDER BY "
BY_NAME = PAGE + "family_norm, given_norm, id LIMIT 26"
FROM_THE_END = PAGE + "family_norm DESC, given_norm DESC, id DESC LIMIT 26"
HAVING = "SELECT patient_id FROM patients_patienttoken WHERE clinic_id = %(clinic)s AND token = "
FOUND = f"SELECT {ROW} FROM patients_patient WHERE clinic_id = %(clinic)s AND id IN ({{ids}} LIMIT 200)"
DAY = """
SELECT a.id, a.start, a.end, a.status, a.checked_in_at, a.started_at, a.completed_at, a.is_urgent, a.version,
    p.id, p.mrn, p.given_name, p.family_name, p.date_of_birth, s.name, s.tone, v.name, l.name, r.name
FROM appointments_appointment a
JOIN patients_patient p ON p.clinic_id = a.clinic_id AND p.id = a.patient_id
JOIN appointments_service s ON s.clinic_id = a.clinic_id AND s.id = a.service_id
JOIN clinics_provider v ON v.clinic_id = a.clinic_id AND v.id = a.provider_id
JOIN clinics_location l ON l.clinic_id = a.clinic_id AND l.id = a.location_id
LEFT JOIN clinics_room r ON r.clinic_id = a.clinic_id AND r.id = a.room_id
WHERE a.clinic_id = %(clinic)s AND a.local_day = %(day)s ORDER BY a.start, a.id
"""
BUSY = """
SELECT resource_id, starts_at, ends_at FROM appointments_claim WHERE clinic_id = %(clinic)s AND resource_kind = 'provider'
AND resource_id = ANY (ARRAY(SELECT provider_id FROM appointments_serviceprovider
    WHERE clinic_id = %(clinic)s AND service_id = %(service)s))
AND ends_at > %(since)s AND starts_at < %(until)s
"""
BOOK = """
INSERT INTO appointments_claim (id, clinic_id, resource_kind, resource_id, during, starts_at, ends_at)
VALUES (%(one)s, %(clinic)s, 'patient', %(patient)s, tstzrange(%(start)s, %(end)s, '[)'), %(start)s, %(end)s),
    (%(two)s, %(clinic)s, 'provider', %(provider)s, tstzrange(%(start)s, %(end)s, '[)'), %(start)s, %(end)s)
ON CONFLICT DO NOTHING RETURNING resource_kind
"""


def _plain(statement: str) -> Floor:
    return lambda arguments: (statement, {"clinic": current_clinic_id()})


def _one_patient(arguments: Mapping[str, Any]) -> Statement:
    statement = f"SELECT {ROW} FROM patients_patient WHERE clinic_id = %(clinic)s AND id = %(patient)s"
    return statement, {"clinic": current_clinic_id(), "patient": arguments["patient_id"]}


def _names(arguments: Mapping[str, Any]) -> Statement:
    """Every word begun, by INTERSECT."""
    return _tokens([(tokens.PREFIX, tokens.start_of(word)) for word in name_parts(arguments["text"])])


def _piece(kind: str, piece: Callable[[str], str]) -> Floor:
    return lambda arguments: _tokens([(kind, piece(arguments["text"]))])


def _tokens(pieces: list[tuple[str, str]]) -> Statement:
    clinic = current_clinic_id()
    wanted = tokens.tokens_of_pieces(clinic, pieces)
    ids = " INTERSECT ".join(f"{HAVING}%(t{number})s" for number in range(len(wanted)))
    return FOUND.format(ids=ids), {"clinic": clinic} | {f"t{number}": one for number, one in enumerate(wanted)}


def _day(arguments: Mapping[str, Any]) -> Statement:
    return DAY, {"clinic": current_clinic_id(), "day": arguments["day"]}


def _week_of_slots(arguments: Mapping[str, Any]) -> Statement:
    first, last = (datetime.combine(arguments[name], time(), UTC) for name in ("first_day", "last_day"))
    values = {"since": first, "until": last + timedelta(days=1), "service": arguments["service"].pk}
    return BUSY, {"clinic": current_clinic_id()} | values


def _booking(arguments: Mapping[str, Any]) -> Statement:
    span = {"start": arguments["start"], "end": arguments["start"] + timedelta(minutes=10)}
    return BOOK, {
        "clinic": current_clinic_id(), "one": new_id(), "two": new_id(), "patient": arguments["patient_id"],
        "provider": arguments["provider_id"], **span,
    }  # fmt: skip


FLOORS: dict[str, Floor] = {
    "patients.list": _plain(BY_NAME),
    "patients.list.last_page": _plain(FROM_THE_END),
    "patients.detail": _one_patient,
    "patients.search": _names,
    "patients.search.beginning": _names,
    "patients.search.two_words": _names,
    "patients.search.phone": _piece(tokens.PHONE, digits_of),
    "patients.search.mrn": _piece(tokens.RECORD, lambda mrn: max(tokens.record_pieces(mrn), key=len)),
    "patients.search.birth_date": _piece(tokens.BIRTH, str),
    "appointments.today": _day,
    "appointments.calendar_day": _day,
    "appointments.book": _booking,
    "slots.week": _week_of_slots,
}
