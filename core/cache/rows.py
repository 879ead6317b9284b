"""A model's row as plain data and back: for the few objects that every request needs."""

from collections.abc import Collection
from typing import Any

from django.db.models import Model
from django.db.models.base import ModelState

Row = tuple[tuple[str, Any], ...]


def frozen_row(instance: Model, *, without: Collection[str] = ()) -> Row:
    """The stored values of the instance by attribute name; lists become tuples. No query."""
    return tuple(
        (one.attname, tuple(value) if isinstance(value := getattr(instance, one.attname), list) else value)
        for one in instance._meta.concrete_fields
        if one.attname not in without
    )


def thawed[M: Model](model: type[M], row: Row) -> M:
    """An instance as if just read. What the row leaves out is fetched when somebody asks for it. No query.

    Made as unpickling makes one, without `__init__`: three of these belong to every request.
    """
    instance = model.__new__(model)
    instance.__dict__.update((name, list(value) if isinstance(value, tuple) else value) for name, value in row)
    instance._state = ModelState()
    instance._state.adding, instance._state.db = False, "default"
    return instance
