"""A valid body for every operation of the API that takes one. A new operation without one fails the walk."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.conftest import PASSWORD
from tests.factories.api_client import Form
from tests.factories.files import pdf
from tests.factories.queue import open_queue
from tests.factories.world import Place

Body = dict[str, Any]


def next_monday_at(hour: int, place: Place) -> str:
    now = datetime.now(place.clinic.zone)
    day = (now + timedelta(days=7 + (7 - now.weekday()) % 7)).date()
    return datetime(day.year, day.month, day.day, hour, 0, tzinfo=place.clinic.zone).isoformat()


def open_location(place: Place) -> str:
    """Where patients wait by tickets."""
    with clinic_scope(place.clinic, reason="test"):
        open_queue(place)
    return str(place.locations[0].pk)


def patient(place: Place) -> Body:
    return {
        "given_name": "Ingeborg",
        "middle_name": "Maria",
        "family_name": "Testmann",
        "preferred_name": "Inge",
        "date_of_birth": "1961-02-03",
        "sex": "female",
        "gender": "woman",
        "blood_type": "O+",
        "phone": {"GB": "020 7946 0018", "US": "(212) 555-0187"}[place.clinic.country],
        "email": "inge@example.com",
        "address": {"line1": "1 High Street", "city": "Town", "postal_code": "AB1 2CD", "country": place.clinic.country},
        "national_id": "QQ 12 34 56 C",
        "insurance": {"provider": "Mutual", "policy_number": "P-1", "valid_until": "2031-12-31"},
        "emergency_contact": {"name": "Otto", "relationship": "husband"},
        "language": "de",
        "preferences": {"reminder_channels": ["sms"], "time_of_day": "morning"},
        "notes": "Prefers mornings.",
    }


def appointment(place: Place) -> Body:
    return {
        "patient": str(place.patients[0].pk),
        "service": str(place.services[1].pk),
        "provider": str(place.providers[0].pk),
        "start": next_monday_at(9, place),
        "notes": "First visit",
    }


BODIES: dict[tuple[str, str], Callable[[Place], Body]] = {
    ("post", "/api/v2/auth/token"): lambda p: {"email": p.users[Role.DOCTOR].email, "password": PASSWORD},
    ("post", "/api/v2/auth/otp/request"): lambda p: {"identifier": p.users[Role.DOCTOR].email, "channel": "email"},
    ("post", "/api/v2/auth/otp/verify"): lambda p: {"identifier": p.users[Role.DOCTOR].email, "code": "123 456"},
    ("post", "/api/v2/auth/token/refresh"): lambda p: {"refresh": "x"},
    ("post", "/api/v2/auth/logout"): lambda p: {},
    ("post", "/api/v2/patients"): patient,
    ("patch", "/api/v2/patients/{}"): patient,
    ("post", "/api/v2/patients/search"): lambda p: {"search": "okafor"},
    ("post", "/api/v2/patients/duplicates"): lambda p: {"given_name": "Ann", "family_name": "Lee", "date_of_birth": "1980-01-01"},
    ("post", "/api/v2/patients/{}/anonymise"): lambda p: {
        "mrn": p.patients[0].mrn,
        "kind": "request",
        "reason": "Asked for in writing.",
    },
    ("post", "/api/v2/patients/{}/consents"): lambda p: {"kind": "messages", "given": True},
    ("post", "/api/v2/patients/{}/documents"): lambda p: Form(
        file=SimpleUploadedFile("letter.pdf", pdf()), title="Letter", category="letter", date="2026-01-31"
    ),
    ("post", "/api/v2/patients/{}/documents/{}/entered-in-error"): lambda p: {"reason": "Another patient's"},
    ("post", "/api/v2/patients/{}/break-glass"): lambda p: {"category": "emergency", "reason": "Collapsed in the waiting room."},
    ("post", "/api/v2/break-glass/{}/verdict"): lambda p: {"verdict": "justified", "note": "Called the ambulance."},
    ("post", "/api/v2/locations"): lambda p: {"name": "New place", "address": "1 Road"},
    ("patch", "/api/v2/locations/{}"): lambda p: {"name": "Other place"},
    ("post", "/api/v2/departments"): lambda p: {"name": "Cardiology"},
    ("patch", "/api/v2/departments/{}"): lambda p: {"name": "Dermatology"},
    ("post", "/api/v2/rooms"): lambda p: {"location": str(p.locations[0].pk), "name": "R9", "kind": "treatment"},
    ("patch", "/api/v2/rooms/{}"): lambda p: {"name": "R8"},
    ("post", "/api/v2/providers"): lambda p: {"name": "Dr New Person", "kind": "doctor"},
    ("patch", "/api/v2/providers/{}"): lambda p: {"name": "Dr Other Person"},
    ("post", "/api/v2/services"): lambda p: {"name": "ECG", "duration_minutes": 15},
    ("patch", "/api/v2/services/{}"): lambda p: {"name": "ECG, long", "duration_minutes": 25},
    ("post", "/api/v2/schedules"): lambda p: {
        "provider": str(p.providers[0].pk),
        "location": str(p.locations[1].pk),
        "weekday": 2,
        "start_time": "19:00",
        "end_time": "20:00",
    },
    ("patch", "/api/v2/schedules/{}"): lambda p: {"end_time": "17:30"},
    ("post", "/api/v2/schedule-exceptions"): lambda p: {
        "provider": str(p.providers[0].pk),
        "kind": "off",
        "first_day": "2031-01-02",
        "last_day": "2031-01-03",
    },
    ("patch", "/api/v2/schedule-exceptions/{}"): lambda p: {"reason": "Conference"},
    ("post", "/api/v2/holidays"): lambda p: {"day": "2031-05-01", "name": "May day"},
    ("patch", "/api/v2/holidays/{}"): lambda p: {"name": "Labour day"},
    ("post", "/api/v2/jobs/{}/cancel"): lambda p: {},
    ("post", "/api/v2/jobs/{}/retry"): lambda p: {},
    ("post", "/api/v2/appointments"): appointment,
    ("patch", "/api/v2/appointments/{}"): lambda p: {"notes": "Bring the letter"},
    ("post", "/api/v2/appointments/{}/undo"): lambda p: {},
    ("post", "/api/v2/queue"): lambda p: {"location": open_location(p), "service": str(p.services[0].pk)},
    ("post", "/api/v2/queue/call-next"): lambda p: {"location": open_location(p), "room": str(p.rooms[0].pk)},
    ("post", "/api/v2/queue/{}/transfer"): lambda p: {"provider": str(p.providers[1].pk), "room": str(p.rooms[1].pk)},
    ("post", "/api/v2/notifications/{}/read"): lambda p: {},
    ("post", "/api/v2/notifications/read-all"): lambda p: {},
    ("post", "/api/v2/webhooks"): lambda p: {
        "name": "New system",
        "url": "https://lab.example.org/hms",
        "events": ["patient.changed"],
    },
    ("patch", "/api/v2/webhooks/{}"): lambda p: {"name": "Other system", "events": ["appointment.booked"]},
    ("post", "/api/v2/webhooks/{}/rotate-secret"): lambda p: {},
    ("post", "/api/v2/webhooks/{}/ping"): lambda p: {},
    ("post", "/api/v2/webhooks/{}/replay"): lambda p: {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()},
    ("post", "/api/v2/webhook-deliveries/{}/replay"): lambda p: {},
    ("post", "/api/v2/appointments/{}/reschedule"): lambda p: {"start": next_monday_at(11, p)},
}
BODIES |= {
    ("post", f"/api/v2/queue/{{}}/{step}"): lambda p: {}
    for step in ("call", "recall", "serve", "skip", "put-back", "finish", "leave")
}
REASON = ("confirm", "check-in", "start", "complete", "cancel", "no-show")
BODIES |= {("post", f"/api/v2/appointments/{{}}/{action}"): lambda p: {"reason": "Asked to"} for action in REASON}


def body_for(method: str, path: str, place: Place) -> Body:
    case = BODIES.get((method, re.sub(r"\{\w+\}", "{}", path).replace("/api/v1/", "/api/v2/")))
    assert case is not None, f"no body for {method.upper()} {path}: add one to tests/factories/bodies.py"
    return case(place)
