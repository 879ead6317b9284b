"""Which restricted records are open to whom at this moment: asked here by everything that reads, caches or logs.

The reader is the scope's person, whom row-level security knows as well. HMS itself (commands, the clock) has none and reads all.
The apps say which records are restricted and which ways lead to one; the emergency access is one (core.audit.break_glass).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from django.utils import timezone

from core.cache import TTL, Tag, cached
from core.tenancy.context import current_scope

GLASS = "break-glass"  # how the reason of an emergency access begins in the access log


@dataclass(frozen=True, slots=True)
class Opening:
    """A restricted record that is open to somebody between two moments (None: always). `glass_id` and `category` are those of
    an emergency access."""

    patient_id: UUID
    since: datetime | None = None
    until: datetime | None = None
    glass_id: UUID | None = None
    category: str = ""

    def holds(self, now: datetime) -> bool:
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)

    @property
    def why(self) -> str:
        """The reason as the access log keeps it: break-glass, the category, the id."""
        return f"{GLASS} {self.category} {self.glass_id}" if self.glass_id else ""


class Way(Protocol):
    """A way to restricted records: who has one, and which tags say that this changed."""

    def openings(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Opening]: ...

    def tags(self, user_id: UUID, patient_ids: Iterable[UUID]) -> Iterable[Tag]: ...


@dataclass(frozen=True, slots=True)
class Restricted:
    """Who knows which records of the clinic are restricted, and the tag that says that this changed."""

    ids: Callable[[], Iterable[UUID]]
    tag: Callable[[], Tag]


_known: list[Restricted] = []
_ways: list[Way] = []


def set_restricted(known: Restricted) -> None:
    _known[:] = [known]


def add_way(way: Way) -> None:
    _ways.append(way)


@cached("core.restricted", ttl=TTL.CLINIC, tags=lambda: [one.tag() for one in _known])
def restricted_records() -> tuple[UUID, ...]:
    """The clinic's restricted records. No query, or one."""
    return tuple(sorted(pk for one in _known for pk in one.ids()))


def _tags(user_id: UUID, ids: tuple[UUID, ...]) -> list[Tag]:
    return [tag for way in _ways for tag in way.tags(user_id, ids)]


@cached("core.openings", ttl=TTL.APPOINTMENT, tags=_tags)
def _openings(user_id: UUID, ids: tuple[UUID, ...]) -> tuple[Opening, ...]:
    """Those of now and of later. One query for each way."""
    return tuple(opening for way in _ways for opening in way.openings(user_id, ids))


def openings_of(user_id: UUID, ids: tuple[UUID, ...]) -> dict[UUID, Opening]:
    """Which of these restricted records are open to the person now, by patient; the emergency access where there are several ways.
    No query, or one for each way."""
    now = timezone.now()
    holding = [one for one in _openings(user_id, ids) if one.holds(now)] if ids else []
    return {one.patient_id: one for one in sorted(holding, key=lambda one: one.glass_id is not None)}


@dataclass(frozen=True, slots=True)
class Access:
    """What a person may open of the clinic's restricted records, decided once: the openings by patient, and the rest."""

    clinic_id: UUID | None
    user_id: UUID | None
    openings: Mapping[UUID, Opening]
    closed: frozenset[UUID]

    @classmethod
    def of(cls, clinic_id: UUID | None, user_id: UUID | None) -> Self:
        if clinic_id is None or user_id is None:
            return cls(clinic_id, user_id, {}, frozenset())
        ids = restricted_records()
        openings = openings_of(user_id, ids)
        return cls(clinic_id, user_id, openings, frozenset(ids) - openings.keys())


_decided: ContextVar[Access | None] = ContextVar("hms_access", default=None)


@contextmanager
def decided_access() -> Iterator[Access]:
    """Within the block it is the same as at its beginning: a request keys, reads and logs by one decision, or what was read under
    another could be kept for somebody who may not see it."""
    token = _decided.set(None)
    access = access_of_reader()
    _decided.set(access)
    try:
        yield access
    finally:
        _decided.reset(token)


def access_of_reader() -> Access:
    """Of the scope's person; HMS itself, and whoever is in no clinic, has nothing closed."""
    scope = current_scope()
    clinic_id, user_id = (scope.clinic_id, scope.user_id) if scope else (None, None)
    return access_of(clinic_id, user_id)


def access_of(clinic_id: UUID | None, user_id: UUID | None) -> Access:
    """The request's decision if it is this person's, else a new one. In a clinic that restricts nothing at most one query."""
    decided = _decided.get()
    if decided is not None and (decided.clinic_id, decided.user_id) == (clinic_id, user_id):
        return decided
    return Access.of(clinic_id, user_id)


def why_of(openings: Mapping[UUID, Opening], patient_ids: Iterable[UUID]) -> str:
    """The reason under which one of these was read, for the access log; empty without an emergency access."""
    return next((why for one in patient_ids if (opening := openings.get(one)) and (why := opening.why)), "") if openings else ""
