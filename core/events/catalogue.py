"""The catalogue: every event that HMS announces, declared by the app whose services announce it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

ID = "id"  # a field that holds the id of a record; the others list the words they may hold
NAME = re.compile(r"[a-z_]+\.[a-z_]+")


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event. `about`: the noun whose events stay in order. `fields`: name -> ID or the words it may hold.

    A field that is added keeps the version; one that is removed, or means something else, makes the next one.
    """

    name: str
    version: int
    about: str
    fields: Mapping[str, str | tuple[str, ...]]
    words: str

    def checked(self, data: Mapping[str, Any]) -> dict[str, str | None]:
        """The data as it is written down. Raises ValueError unless every field is there, no other, and of its kind.

        An id may be None: there is none.
        """
        if data.keys() != self.fields.keys():
            raise ValueError(f"{self.name} has the fields {', '.join(self.fields)}.")
        return {name: self._value(name, value) for name, value in data.items()}

    def _value(self, name: str, value: Any) -> str | None:
        kind = self.fields[name]
        if kind == ID and (value is None or isinstance(value, UUID)):
            return None if value is None else str(value)
        if isinstance(kind, tuple) and value in kind:
            return str(value)
        raise ValueError(f"{self.name}.{name} holds ids or the words of the catalogue, nothing else.")


_events: dict[str, Event] = {}


def event(name: str, *, about: str, fields: Mapping[str, str | tuple[str, ...]], words: str, version: int = 1) -> Event:
    """Declare one, in the `events` of an app. Raises ValueError for a name that is none or is taken."""
    if not NAME.fullmatch(name) or name in _events:
        raise ValueError(f"{name} is no name for an event, or another has it.")
    _events[name] = Event(name, version, about, dict(fields), words)
    return _events[name]


def catalogue() -> dict[str, Event]:
    """All of them, by name and in the order of their names."""
    return dict(sorted(_events.items()))
