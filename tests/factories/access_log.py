"""What the access log says of the requests of a test: read from the spool, before anything drains it."""

import html
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.apps import apps
from django.utils import timezone

from core.accounts.roles import Role
from core.audit.draining import spool
from core.audit.events import AccessRecord, stored
from core.audit.spool import Events, taken_over, waiting
from core.audit.subjects import Reading, Shown
from core.tenancy.ids import new_id
from patients.models import Patient
from tests.factories.world import Place

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Written(NamedTuple):
    """One event, as it was spooled."""

    event_id: str
    at: str
    user_id: str | None
    clinic_id: str
    route: str
    method: str
    status: int
    address: str
    request_id: str
    why: str
    reading: str
    patients: frozenset[UUID]


def taken_events() -> list[Written]:
    """The events since the last time, oldest first. They are gone from the spool afterwards."""
    spool.hand_over()
    found: list[Written] = []
    for path in waiting(spool.folder):
        with taken_over(path) as file:
            assert file
            events = Events(file)
            found += [_read(event) for event in events]
            assert not events.damaged
            path.unlink()
    return found


def note_looks(place: Place, *patients: UUID, by: Role = Role.NURSE, at: datetime | None = None, **said: Any) -> None:
    """Write an event to the database: somebody has looked at these patients, all at once."""
    shown = Shown()
    shown.add((one.bytes for one in patients), said.get("reading", Reading.VIEW))
    moment = at or timezone.now()
    request = ("patients:detail", "GET", 200, "203.0.113.7", "a-request")
    stored([AccessRecord(new_id(), moment, place.users[by].pk, place.clinic.pk, *request, shown).packed()])


def _read(event: bytes) -> Written:
    *said, packed = orjson.loads(event)
    return Written(*said, frozenset(UUID(packed[at : at + 32]) for at in range(0, len(packed), 32)))


def people_in(answer: Any, path: str, everybody: Iterable[Patient]) -> set[UUID]:
    """Whom the answer's body names, by number, id or full name; and about whom a record is that the body or address names."""
    said = path + html.unescape(answer.content.decode("utf-8", "replace"))
    ids = set(ID.findall(said))
    found = {one.pk for one in everybody if str(one.pk) in ids or one.mrn in said or one.full_name in said}
    for model in apps.get_models():
        if subject := getattr(model, "subject_path", "").replace(".", "__"):
            found |= set(model._default_manager.filter(pk__in=ids).values_list(subject, flat=True)) - {None}  # about nobody we know
    return found
