"""Announcing an event: a row in the caller's transaction, and whoever in HMS wants to know is called there too."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from core.events.catalogue import Event
from core.events.models import DomainEvent

type Subscriber = Callable[[DomainEvent], None]

_subscribers: dict[str, list[Subscriber]] = defaultdict(list)
_of_all: list[Subscriber] = []


def announce(event: Event, about_id: UUID, **data: Any) -> DomainEvent:
    """Say that it happened. One statement, and what its subscribers do: what they raise undoes the change.

    Called once for each change, after it was written and while its record is locked. Raises ValueError for what the catalogue
    doesn't allow.
    """
    told = DomainEvent(name=event.name, schema=event.version, about=event.about, about_id=about_id, data=event.checked(data))
    told.save(force_insert=True)
    for subscriber in (*_subscribers[event.name], *_of_all):
        subscriber(told)
    return told


def subscribe(event: Event, subscriber: Subscriber) -> None:
    """Call `subscriber` with each such event, in its transaction. Once, as HMS starts; what takes long it leaves to a job."""
    _subscribers[event.name].append(subscriber)


def subscribe_to_all(subscriber: Subscriber) -> None:
    """The same for every event."""
    _of_all.append(subscriber)
