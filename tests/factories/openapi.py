"""The API's own description, walked by tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    spec: Any

    @property
    def id(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def body(self) -> Schema | None:
        content = self.spec.get("requestBody", {}).get("content", {}).get("application/json")
        return resolved(content["schema"]) if content else None


@dataclass(frozen=True)
class BodyField:
    """One leaf of a body: where it stands, and what it may be."""

    path: tuple[str, ...]
    schema: Any
    required: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)


@lru_cache(maxsize=1)
def document() -> Schema:
    generated: Schema = SchemaGenerator().get_schema(request=None, public=True)
    return generated


def operations() -> Iterator[Operation]:
    for path, methods in document()["paths"].items():
        for method, spec in methods.items():
            yield Operation(method, path, spec)


def resolved(schema: Schema) -> Schema:
    """Follow a $ref, or the single one inside an allOf/oneOf."""
    if "$ref" in schema:
        return resolved(document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    for joined in ("allOf", "oneOf", "anyOf"):
        options = [one for one in schema.get(joined, []) if one.get("type") != "null"]
        if options:
            return {**resolved(options[0]), **{k: v for k, v in schema.items() if k != joined}}
    return schema


def fields_of(schema: Schema, path: tuple[str, ...] = (), required: bool = True) -> Iterator[BodyField]:
    for name, raw in schema.get("properties", {}).items():
        inner = resolved(raw)
        if inner.get("readOnly"):
            continue
        needed = required and name in schema.get("required", [])
        if inner.get("type") == "object" and "properties" in inner:
            yield from fields_of(inner, (*path, name), needed)
        else:
            yield BodyField((*path, name), inner, needed)


def types_of(schema: Schema) -> set[str]:
    kind = schema.get("type", "string")
    return set(kind) if isinstance(kind, list) else {kind}
