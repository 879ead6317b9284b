"""Whose data an answer shows: noted while it is made, kept beside what the cache keeps, written down before it leaves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

SIZE = 16  # bytes of an id


class Reading(StrEnum):
    """How somebody's data was read. Of several in one answer the last one here counts."""

    VIEW = "view"
    LIST = "list"
    SEARCH = "search"
    PRINT = "print"
    EXPORT = "export"


_order = {reading: place for place, reading in enumerate(Reading)}


class Subjects(NamedTuple):
    """Patients as plain data, for the cache: their ids one behind the other, and how they are read."""

    patients: bytes = b""
    reading: str = Reading.VIEW


NOBODY = Subjects()


class Shown:
    """The patients whom the answer that is being made shows. `why`: what the reader gave as the reason, or empty."""

    __slots__ = ("patients", "reading", "why")

    def __init__(self) -> None:
        self.patients: dict[bytes, None] = {}
        self.reading = Reading.VIEW
        self.why = ""

    def add(self, patients: Iterable[bytes], reading: Reading) -> None:
        self.patients.update(dict.fromkeys(patients))
        if _order[reading] > _order[self.reading]:
            self.reading = reading

    def subjects(self) -> Subjects:
        return Subjects(b"".join(self.patients), self.reading.value) if self.patients else NOBODY


_shown: ContextVar[Shown | None] = ContextVar("hms_shown_patients", default=None)


@contextmanager
def collecting() -> Iterator[Shown]:
    """Within the block everybody who is shown is noted in what it yields; afterwards also around it."""
    outer, own = _shown.get(), Shown()
    token = _shown.set(own)
    try:
        yield own
    finally:
        _shown.reset(token)
        if outer is not None and own.patients:
            outer.add(own.patients, own.reading)
            outer.why = outer.why or own.why


def shown(patient_ids: Iterable[UUID], reading: Reading = Reading.VIEW) -> None:
    """The answer shows these patients. Called where it is made, and never for those who are only looked at on the way."""
    if (collected := _shown.get()) is not None:
        collected.add((one.bytes for one in patient_ids), reading)


def shown_again(subjects: Subjects) -> None:
    """What was kept is shown once more."""
    if subjects.patients and (collected := _shown.get()) is not None:
        packed = subjects.patients
        collected.add((packed[at : at + SIZE] for at in range(0, len(packed), SIZE)), Reading(subjects.reading))


def shown_so_far() -> Subjects:
    """Of the answer that is being made."""
    collected = _shown.get()
    return collected.subjects() if collected is not None else NOBODY


def give_reason(why: str) -> None:
    """Why the reader looks: it goes into the log with the answer."""
    if (collected := _shown.get()) is not None:
        collected.why = why


def show_rows(rows: Iterable[Any], reading: Reading = Reading.VIEW) -> None:
    """The same for rows of any kind: those whose class says in `subject_path` where the patient's id stands, or has a property
    `subject_id` that finds it in the columns named in `subject_columns`. No query where these columns were read."""
    for row in rows:
        path = getattr(type(row), "subject_path", "subject_id" if hasattr(type(row), "subject_columns") else "")
        if path and (found := attrgetter(path)(row)) is not None:
            shown((found,), reading)
