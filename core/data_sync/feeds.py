"""What can be sent: each app says which of its rows have changed and how the API shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet
from django.utils.module_loading import import_string

from core.events.models import DomainEvent
from core.tenancy.models import Clinic


@dataclass(frozen=True, slots=True)
class Span:
    """The events behind the position `after`, up to and with `upto`."""

    after: int
    upto: int

    def about(self, noun: str) -> QuerySet[DomainEvent, UUID]:
        """The ids of what they are about, to be asked within another query. No query."""
        events = DomainEvent.objects.filter(about=noun, position__gt=self.after, position__lte=self.upto)
        return events.values_list("about_id", flat=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is sent: what the API says of it, or a word that says why the receiver keeps it no longer."""

    id: UUID
    data: dict[str, Any] | None = None
    removed: str = ""

    def as_sent(self) -> dict[str, Any]:
        return {"id": self.id, "removed": self.removed} if self.data is None else {"id": self.id, "data": self.data}


class Feed(Protocol):
    """One kind of rows, in the scope of a clinic."""

    def ids(self, span: Span | None, after: UUID | None, most: int) -> list[UUID]:
        """Of the rows that have changed (all without a span) the ids behind `after`, in their order. One query."""

    def entries(self, ids: Sequence[UUID], clinic: Clinic) -> list[Entry]:
        """These rows, in the order of their ids; who is shown is noted for the access log. One query."""


_places: dict[str, tuple[int, str]] = {}


def register_feed(name: str, path: str, *, place: int) -> None:
    """Called once, as HMS starts. `path` leads to the Feed and is imported when something is sent; lower places are sent first."""
    _places[name] = place, path


def feed_names() -> list[str]:
    return sorted(_places, key=lambda name: _places[name])


def feed_of(name: str) -> Feed:
    feed: Feed = import_string(_places[name][1])
    return feed
