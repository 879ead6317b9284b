"""What every serializer of the API shares: input refuses what it doesn't know, output can be made sparse."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import SkipField

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
    """The body of an answer. With `sparse` in the context only those top-level fields are made."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        sparse = self.context.get("sparse")
        top_level = self.parent is None or (self.parent.parent is None and getattr(self.parent, "many", False))
        if sparse and top_level:
            return {name: field for name, field in fields.items() if name in sparse}
        return fields


class MoneySerializer(serializers.Serializer[Any]):
    """`{"amount": "125.50", "currency": "EUR"}`"""

    amount = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    currency = serializers.CharField(min_length=3, max_length=3)
