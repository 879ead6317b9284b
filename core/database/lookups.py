"""Lookups beside Django's own."""

from typing import Any

from django.db.models import Field, Lookup

__all__ = ["AnyOf"]


class AnyOf(Lookup):
    """`field__any_of=values`: the same rows as `in`, with the values sent as one array.

    The statement reads the same however many values there are, so PostgreSQL prepares it once; `in` gives another statement
    for each number of values. For a field of the model itself, not for a relation.
    """

    lookup_name = "any_of"

    def get_prep_lookup(self) -> list[Any]:
        field = self.lhs.output_field
        return [field.get_prep_value(value) for value in self.rhs]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        field = self.lhs.output_field
        lhs, parameters = self.process_lhs(compiler, connection)
        values = [field.get_db_prep_value(value, connection, prepared=True) for value in self.rhs]
        return f"{lhs} = ANY(%s::{field.db_type(connection)}[])", (*parameters, values)


Field.register_lookup(AnyOf)
