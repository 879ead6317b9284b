"""The catalogue: every event that HMS announces, declared by the app whose services announce it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ID = "id"  # a field that holds the id of a record; the others list the words they may hold
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
PLACES = ("location", "from_location")  # fields that say where it happened


@dataclass(frozen=True, slots=True)
class Channel:
    """What a page or a program subscribes to. `read_by`: the resource and action of the matrix that its readers need.

    One with `parts` has no events of its own: it stands for those of its parts that the reader may read.
    """

    name: str
    read_by: tuple[str, str]
    parts: "tuple[Channel, ...]" = ()

    @property
    def whole(self) -> "tuple[Channel, ...]":
        """The channels whose events one hears on it."""
        return self.parts or (self,)


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event. `about`: the noun whose events stay in order. `fields`: name -> ID or the words it may hold.

    Live readers find it on its `channel`. Where it has fields of PLACES, those who work in some locations alone are told what
    happened in one of these. A field that is added keeps the version; one that is removed, or means something else, makes the
    next one.
    """

    name: str
    version: int
    about: str
    fields: Mapping[str, str | tuple[str, ...]]
    words: str
    channel: Channel
    places: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", tuple(name for name in PLACES if name in self.fields))

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
_channels: dict[str, Channel] = {}


def channel(name: str, *, read_by: tuple[str, str], parts: tuple[Channel, ...] = ()) -> Channel:
    """Declare one, in the `events` of an app. Raises ValueError for a name that is taken by another one."""
    made = Channel(name, read_by, parts)
    if _channels.setdefault(name, made) != made:
        raise ValueError(f"There is another channel {name}.")
    return made


def event(
    name: str,
    *,
    about: str,
    fields: Mapping[str, str | tuple[str, ...]],
    words: str,
    version: int = 1,
    channel: Channel | None = None,
) -> Event:
    """Declare one, in the `events` of an app. Raises ValueError for a name that is none or is taken.

    Without a channel it goes to that of its noun (`patients` for a patient), for those who may view the noun.
    """
    if not NAME.fullmatch(name) or name in _events:
        raise ValueError(f"{name} is no name for an event, or another has it.")
    _events[name] = Event(name, version, about, dict(fields), words, channel or _channel_of(about))
    return _events[name]


def _channel_of(about: str) -> Channel:
    return _channels.get(f"{about}s") or channel(f"{about}s", read_by=(about, "view"))


def catalogue() -> dict[str, Event]:
    """All of them, by name and in the order of their names."""
    return dict(sorted(_events.items()))


def event_named(name: str) -> Event | None:
    """None for one that this version of HMS doesn't know."""
    return _events.get(name)


def channels() -> dict[str, Channel]:
    """All channels, by name and in the order of their names."""
    return dict(sorted(_channels.items()))
