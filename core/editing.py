"""Two people at one record: who saves second is shown what the other changed, decides, and loses nothing of what they typed.

A form that changes a record carries, signed, the values it was given (`Reading`). When it comes back, three are compared for each
field: what was read, what stands there now, what was typed. Pages of every app use `Edit`; nothing is saved unless it is settled.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from typing import Any

from django import forms
from django.core import signing
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from core.forms import TypedField

READ = "read"
CHOICE = "keep-"  # before a field's name: whose value to keep, when both changed it
type Value = str | bool | list[str]
type Values = Mapping[str, Value]


class ReadingForm(forms.Form):
    """Mixed into a form that changes a record: it brings back what it was given."""

    read = TypedField(widget=forms.HiddenInput, required=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """A record as a form was given it. `open`: what had been read, of the fields on which the person has still to decide."""

    version: int
    values: Values
    open: Values = field(default_factory=dict)

    def sealed(self, about: str) -> str:
        """For the form's hidden field. `about` names the record: a reading of one is none of another."""
        return signing.dumps([self.version, self.values, self.open], salt=f"{__name__} {about}", compress=True)

    @classmethod
    def opened(cls, text: Any, about: str) -> "Reading | None":
        """None for what we didn't seal."""
        try:
            version, values, left = signing.loads(str(text), salt=f"{__name__} {about}")
        except (signing.BadSignature, ValueError):
            return None
        return cls(version, values, left)


class Who(StrEnum):
    THEM = "theirs"
    ME = "mine"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that somebody changed, in words: as it was read (None: not known any more), as it stands now, as it was typed."""

    name: str
    label: str
    who: Who
    before: str | None
    theirs: str
    mine: str
    undecided: bool = False

    @property
    def choice(self) -> str:
        return CHOICE + self.name


class Edit:
    """A form that came back, held against the record as it is now (`now`: field -> value, as for the form's `initial`).

    `form` holds what was typed, with what only the others changed taken over, and the new reading. `changes` names the fields
    that the person changed. No query.
    """

    def __init__(
        self, form_class: type[ReadingForm], data: MultiValueDict[str, str], *, about: str, version: int, now: Mapping[str, Any]
    ) -> None:
        self.version = version
        blank = form_class()
        self._fields = {name: one for name, one in blank.fields.items() if name != READ}
        self._now = plain_values(self._fields, now)
        self._reading = Reading.opened(data.get(READ, ""), about)
        self._choices = {name: data.get(CHOICE + name, "") for name in self._fields}
        self._mine = {name: _typed(one, data, name) for name, one in self._fields.items()}
        self._decide()
        self.differences = list(self._compared())
        self.changes = frozenset(name for name in self._fields if self._mine[name] != self._read(name))
        self.form = form_class(self._merged(data, about))

    @property
    def is_stale(self) -> bool:
        """Has somebody changed the record since it was read? What can't be told counts as changed."""
        if self._reading is None:
            return bool(self.differences)
        return any(self._now[name] != self._read(name) for name in self._fields)

    @property
    def is_settled(self) -> bool:
        """May it be saved: nothing changed meanwhile, and every question is answered."""
        return not self.is_stale and not any(one.undecided for one in self.differences)

    # --- Inside -----------------------------------------------------------------------------------------------------------
    def _read(self, name: str) -> Value | None:
        return None if self._reading is None else self._reading.values.get(name)

    def _decide(self) -> None:
        for name in self._reading.open if self._reading else ():
            if self._choices.get(name) == Who.THEM and name in self._mine:
                self._mine[name] = self._read(name) or ""

    def _compared(self) -> Iterator[Difference]:
        """What to tell: nothing when nobody changed anything meanwhile and nothing is open."""
        left = self._reading.open if self._reading else {}
        stale = self._reading is None or any(self._now[name] != self._read(name) for name in self._fields)
        for name in self._fields:
            read, now, mine = self._read(name), self._now[name], self._mine[name]
            if mine != now and name in left and now == read and self._choices[name] != Who.ME:
                yield self._difference(name, Who.BOTH, left[name], undecided=True)
            elif stale and mine == read and now != read:
                yield self._difference(name, Who.THEM, read)
            elif stale and now == read and mine != read:
                yield self._difference(name, Who.ME, read)
            elif stale and mine != now:
                yield self._difference(name, Who.BOTH, read, undecided=True)

    def _difference(self, name: str, who: Who, before: Value | None, *, undecided: bool = False) -> Difference:
        one = self._fields[name]
        told = [None if value is None else in_words(one, value) for value in (before, self._now[name], self._mine[name])]
        return Difference(name, str(one.label or name), who, told[0], told[1] or "", told[2] or "", undecided)

    def _merged(self, data: MultiValueDict[str, str], about: str) -> QueryDict:
        """What the form shows next: as typed, but theirs where only they changed it; read anew."""
        merged = QueryDict(mutable=True)
        for name in data:
            merged.setlist(name, data.getlist(name))
        taken = {one.name for one in self.differences if one.who is Who.THEM}
        for name in self._fields:
            if name in taken or (self._reading and name in self._reading.open):
                _put(merged, name, self._now[name] if name in taken else self._mine[name])
        asked = {one.name for one in self.differences if one.undecided}
        left = {name: self._before(name) for name in asked}
        merged[READ] = Reading(self.version, self._now, left).sealed(about)
        return merged

    def _before(self, name: str) -> Value:
        """As it was when the two went apart."""
        if self._reading and name in self._reading.open:
            return self._reading.open[name]
        return self._read(name) or ""


def given(form_class: type[ReadingForm], *, about: str, version: int, now: Mapping[str, Any]) -> ReadingForm:
    """The form as it goes out, with what it was given."""
    form = form_class()
    values = plain_values({name: one for name, one in form.fields.items() if name != READ}, now)
    form.initial = {**now, READ: Reading(version, values).sealed(about)}
    return form


def plain_values(fields: Mapping[str, forms.Field], values: Mapping[str, Any]) -> dict[str, Value]:
    """As a browser would send them back."""
    return {name: _plain(one, values.get(name)) for name, one in fields.items()}


def in_words(one: forms.Field, value: Value) -> str:
    """A value as a person reads it: choices by their label."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    labels = {str(key): str(label) for key, label in getattr(one, "choices", ())}
    values = value if isinstance(value, list) else [value]
    return ", ".join(labels.get(item, item) for item in values if item) or "–"


def _typed(one: forms.Field, data: MultiValueDict[str, str], name: str) -> Value:
    return _plain(one, one.widget.value_from_datadict(data, MultiValueDict(), name))


def _plain(one: forms.Field, value: Any) -> Value:
    if isinstance(one, forms.BooleanField):
        return bool(value)
    if isinstance(one, forms.MultipleChoiceField):
        return sorted(str(item) for item in value or ())
    if isinstance(value, date | time):
        return value.isoformat()
    return "" if value is None else str(value).replace("\r\n", "\n")


def _put(data: QueryDict, name: str, value: Value) -> None:
    if isinstance(value, bool):
        data.pop(name, None)
        if value:
            data[name] = "on"
    elif isinstance(value, list):
        data.setlist(name, value)
    else:
        data[name] = value
