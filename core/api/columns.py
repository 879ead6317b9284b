"""Reads of the database what an answer says, and nothing else: the columns follow from the serializer and from `fields=`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, Model, QuerySet
from rest_framework import serializers

from core.api.serializers import OutputSerializer


class Unplanned(Exception):
    """A field of the serializer doesn't say which columns it reads."""


@dataclass(slots=True)
class Columns:
    """What is read: columns, the references that are followed for them, the other relations (to be prefetched), all models."""

    names: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    models: set[type[Model]] = field(default_factory=set)

    @classmethod
    @lru_cache(maxsize=512)  # fields= has many combinations
    def of(cls, shape: type[OutputSerializer], sparse: frozenset[str] | None, model: type[Model]) -> "Columns":
        """What rows of the model are asked for by a serializer. Raises Unplanned. No query."""
        found = cls()
        found._read(shape(context={"sparse": sparse}), model, "")
        return found

    def _read(self, serializer: serializers.Serializer[Any], model: type[Model], prefix: str) -> None:
        self.models.add(model)
        said = getattr(serializer, "reads", {})
        for name, one in serializer.fields.items():
            if name in said:
                self._add(said[name], model, prefix)
            elif isinstance(one, serializers.Serializer) and one.source == "*":
                self._read(one, model, prefix)
            elif isinstance(one, serializers.Serializer):
                self._read(one, self._follow(model, str(one.source), prefix), f"{prefix}{one.source}__")
            elif isinstance(one, serializers.SerializerMethodField):
                raise Unplanned(f"{type(serializer).__name__}.{name}")
            else:
                self._add(["__".join(one.source_attrs)], model, prefix)

    def _add(self, lookups: Iterable[str], model: type[Model], prefix: str) -> None:
        for lookup in lookups:
            owner, path = model, prefix
            *through, last = lookup.split("__")
            for step in through:
                owner, path = self._follow(owner, step, path), f"{path}{step}__"
            try:
                column = owner._meta.get_field(last)
            except FieldDoesNotExist as error:
                raise Unplanned(f"{owner.__name__}.{last}") from error
            if getattr(column, "concrete", False):
                self.names.add(path + last)
            elif column.related_model is not None:
                self.others.add(path + last)
                self.models.add(column.related_model)

    def _follow(self, model: type[Model], name: str, prefix: str) -> type[Model]:
        reference = model._meta.get_field(name)
        if not isinstance(reference, ForeignKey):
            raise Unplanned(f"{model.__name__}.{name}")
        self.names.add(prefix + name)
        self.references.add(prefix + name)
        related: type[Model] = reference.related_model
        self.models.add(related)
        return related


def _subject(model: type[Model]) -> set[str]:
    """The columns that say whom a row is about: the access log asks for them whatever is sent."""
    if columns := getattr(model, "subject_columns", ()):
        return set(columns)
    path = getattr(model, "subject_path", "")
    return {model._meta.get_field(path).name} if path and path != "pk" and "." not in path else set()


def planned[M: Model](
    queryset: QuerySet[M], shape: type[OutputSerializer], sparse: frozenset[str] | None, also: Iterable[str] = ()
) -> QuerySet[M]:
    """The queryset with exactly the columns the serializer reads (of the `sparse` fields, if given), and `also`. No query."""
    columns = Columns.of(shape, sparse, queryset.model)
    own = {"pk", *also, *_subject(queryset.model)} | (
        {"version"} if any(f.name == "version" for f in queryset.model._meta.concrete_fields) else set()
    )
    rows = queryset.select_related(None)
    if columns.references:
        rows = rows.select_related(*sorted(columns.references))
    if not columns.others:
        rows = rows.prefetch_related(None)
    return rows.only(*sorted(own | columns.names))
