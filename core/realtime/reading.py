"""Reads the outbox by position: the only source of what streams tell. In threads of its own, never in the loop's."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections

from core.events.catalogue import Event, event_named
from core.events.models import newest_position
from core.tenancy.context import clinic_scope

FROM = """
SELECT position, name, data, at FROM core_domainevent WHERE clinic_id = %s AND position >= %s ORDER BY position LIMIT %s
"""

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hms-live")


@dataclass(frozen=True, slots=True)
class Told:
    """One event as every reader gets it: `text` is its JSON. `event` is None for one that this version doesn't know."""

    position: int
    event: Event | None
    places: frozenset[str]
    at: datetime
    text: str


async def in_thread[Result](ask: Callable[..., Result], *arguments: Any) -> Result:
    """What `ask(*arguments)` returns. Its connection goes back to the pool at once."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _asked, ask, *arguments)


def _asked[Result](ask: Callable[..., Result], *arguments: Any) -> Result:
    try:
        return ask(*arguments)
    finally:
        connections.close_all()


def newest_of(clinic_id: UUID) -> int:
    """Of the clinic's last event, 0 when it has none. One query."""
    with clinic_scope(clinic_id, reason="live"):
        return newest_position()


def events_from(clinic_id: UUID, position: int, limit: int) -> list[Told]:
    """The clinic's events from this position on, itself included, in their order; so many at most. One query."""
    with clinic_scope(clinic_id, reason="live"), connections["default"].cursor() as cursor:
        cursor.execute(FROM, [clinic_id, position, limit])
        return [_told(*row) for row in cursor.fetchall()]


def _told(position: int, name: str, data: Any, at: datetime) -> Told:
    fields: dict[str, str | None] = data if isinstance(data, dict) else json.loads(data)
    event = event_named(name)
    if event is None:
        return Told(position, None, frozenset(), at, "")
    said = {"type": "event", "id": position, "channel": event.channel.name, "event": name, "data": fields}
    places = frozenset(place for name in event.places if (place := fields.get(name)))
    return Told(position, event, places, at, json.dumps(said, separators=(",", ":")))
