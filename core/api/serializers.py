"""What every serializer of the API shares: input refuses what it doesn't know, output can be made sparse."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class InputSerializer(serializers.Serializer[Any]):
    """The body of a request. Unknown fields are refused by name, together with every other wrong field."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = {
            name: [ErrorDetail("There is no such field.", code="unknown_field")]
            for name in (data if isinstance(data, dict) else {})
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **unknown}) from error
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


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
