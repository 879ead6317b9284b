"""What every serializer of the API shares: input refuses what it doesn't know, output can be made sparse."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime, tzinfo
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, ClassVar

from django.utils.timezone import get_current_timezone
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import SkipField

from core.audit.subjects import Reading, show_rows
from core.errors import Detail


class Text(serializers.CharField):
    """Text exactly as sent: a number is no text, and white space stays. What it may hold, the domain's rules say."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("allow_blank", True)
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Flag(serializers.BooleanField):
    """True or false, and nothing that looks like it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Instant(serializers.DateTimeField):
    """A time with its offset from UTC: one without could be any clock's."""

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise serializers.ValidationError("Say the time with its offset from UTC.", code="invalid")
        return super().enforce_timezone(value)


class WallTime(serializers.TimeField):
    """A clock's time of a clinic's day: two digits each, and no offset that nobody would look at."""

    pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            self.fail("invalid", format="hh:mm[:ss[.uuuuuu]]")
        return super().to_internal_value(value)


class InputSerializer(serializers.Serializer[Any]):
    """The body of a request. Every wrong field is named: unknown ones, those of a wrong type, and what `problems` finds."""

    accepted: dict[str, Any]

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        """What the domain's rules say of the values whose type was right; dots for nesting."""
        return ()

    def to_internal_value(self, data: Any) -> Any:
        self.accepted = {}
        if not isinstance(data, dict):
            raise serializers.ValidationError({"non_field_errors": [ErrorDetail("This must be an object.", code="invalid")]})
        errors: dict[str, Any] = {name: _unknown() for name in data if name not in self.fields}
        for name, field in self.fields.items():
            try:
                self.accepted[name] = field.run_validation(field.get_value(data))
            except serializers.ValidationError as error:
                errors[name] = error.detail
                if isinstance(field, InputSerializer) and isinstance(data.get(name), dict):
                    self.accepted[name] = field.accepted
            except SkipField:
                pass
        for detail in self.problems(self.accepted):
            _note(errors, detail.field.split("."), ErrorDetail(str(detail.message), code=detail.code))
        if errors:
            raise serializers.ValidationError(errors)
        return self.accepted


class NothingInput(InputSerializer):
    """An empty object."""


def _unknown() -> list[ErrorDetail]:
    return [ErrorDetail("There is no such field.", code="unknown_field")]


def _note(errors: dict[str, Any], path: list[str], problem: ErrorDetail) -> None:
    """Add a problem unless one is known of this field already."""
    for name in path[:-1]:
        inner = errors.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        errors = inner
    errors.setdefault(path[-1], [problem])


class OutputSerializer(serializers.Serializer[Any]):
    """The body of an answer. With `sparse` in the context only those top-level fields are made.

    `shown` is how views use it: to build a serializer's fields takes longer than to write a row, so they are built once for
    all requests, and the request's context is handed in beside them.

    `reads` names the columns behind a field that is computed, by their lookups from the row (see `core.api.columns`).
    """

    reads: ClassVar[dict[str, tuple[str, ...]]] = {}

    @classmethod
    def shown(cls, rows: Iterable[Any], context: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows as plain data, and whom they are about noted for the access log. No query where the rows were planned.

        The context's `reading` says how they are read, if not one by one.
        """
        rows, shape = list(rows), _built(cls, context.get("sparse"))
        show_rows(rows, context.get("reading", Reading.VIEW))
        tokens = _context.set(context), _zone.set(get_current_timezone())
        try:
            return [shape.to_representation(row) for row in rows]
        finally:
            _context.reset(tokens[0])
            _zone.reset(tokens[1])

    @property
    def context(self) -> Mapping[str, Any]:
        handed_in = _context.get()
        return super().context if handed_in is None else handed_in

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        sparse = self.context.get("sparse")
        top_level = self.parent is None or (self.parent.parent is None and getattr(self.parent, "many", False))
        if sparse and top_level:
            return {name: field for name, field in fields.items() if name in sparse}
        return fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """As DRF's own, which looks at every field's kind again for every row; here that is done once (`_written`)."""
        if isinstance(instance, Mapping):
            return dict(super().to_representation(instance))
        said: dict[str, Any] = {}
        for name, read, write, field in self._written:
            try:
                value = read(instance)
            except AttributeError:  # a default, or nothing at all: DRF knows
                value = _own_way
            if value is _own_way or callable(value):
                try:
                    value = field.get_attribute(instance)
                except SkipField:
                    continue
            said[name] = None if value is None else write(value)
        return said

    @cached_property
    def _written(self) -> list[tuple[str, "Read", "Write", serializers.Field[Any, Any, Any, Any]]]:
        """Name, how its value is read from a row, how that is written, and the field."""
        return [(name, _reader(field), _writer(field), field) for name, field in self.fields.items() if not field.write_only]


_context: ContextVar[dict[str, Any] | None] = ContextVar("hms_shown_context", default=None)
_zone: ContextVar[tzinfo | None] = ContextVar("hms_shown_zone", default=None)  # asked for once, not for each of many values


@lru_cache(maxsize=256)  # fields= has many combinations
def _built(shape: type[OutputSerializer], sparse: frozenset[str] | None) -> OutputSerializer:
    one = shape(context={"sparse": sparse})
    _ = one._written  # before another thread sees it
    return one


type Read = Callable[[Any], Any]
type Write = Callable[[Any], Any]
_own_way = object()  # the field reads its value in a way of its own


def _reader(field: serializers.Field[Any, Any, Any, Any]) -> Read:
    if type(field).get_attribute is not serializers.Field.get_attribute:
        return lambda instance: _own_way
    return attrgetter(".".join(field.source_attrs)) if field.source_attrs else lambda instance: instance


def _writer(field: serializers.Field[Any, Any, Any, Any]) -> Write:
    kind = type(field).to_representation
    if kind is serializers.DateTimeField.to_representation and not {"format", "timezone"} & vars(field).keys():
        return _instant
    return str if kind is serializers.CharField.to_representation else field.to_representation


def _instant(value: datetime) -> str:
    """An aware moment as DRF's field writes it, which asks anew for format and zone each time: two values in most rows."""
    return value.astimezone(_zone.get() or get_current_timezone()).isoformat().replace("+00:00", "Z")


class MoneySerializer(serializers.Serializer[Any]):
    """`{"amount": "125.50", "currency": "EUR"}`"""

    amount = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    currency = serializers.CharField(min_length=3, max_length=3)


class MoneyInput(InputSerializer):
    """As it is answered. Without an amount it is refused in a change, too: it would change nothing."""

    amount = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    currency = serializers.CharField(min_length=3, max_length=3)

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        return () if "amount" in values else [Detail("amount", "required", "This field is required.")]
