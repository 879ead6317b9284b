"""The API's own description, walked by tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.api.generator import document as generated
from core.api.versioning import NEWEST

Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    spec: Any
    version: str = NEWEST

    def answer(self, status: int) -> Schema | None:
        """What the document says of this status, or None."""
        said: Schema | None = self.spec["responses"].get(str(status))
        if said and "$ref" in said:
            shared: Schema = document(self.version)["components"]["responses"][said["$ref"].rsplit("/", 1)[-1]]
            return shared
        return said

    def headers(self, status: int) -> dict[str, Schema]:
        """The headers of an answer, by name."""
        known = document(self.version)["components"]["headers"]
        said = (self.answer(status) or {}).get("headers", {})
        return {name: known[name] if "$ref" in one else one for name, one in said.items()}

    @property
    def answers_a_file(self) -> bool:
        content = (self.answer(200) or {}).get("content", {})
        return bool(content) and "application/json" not in content

    def parameter(self, name: str) -> Schema | None:
        return next((one for one in self.spec.get("parameters", ()) if one["name"] == name), None)

    @property
    def id(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def sends_a_file(self) -> bool:
        """Its answer is no JSON."""
        content = self.spec["responses"].get("200", {}).get("content", {})
        return bool(content) and "application/json" not in content

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


def document(version: str = NEWEST) -> Schema:
    found: Schema = generated(version)
    return found


def operations(version: str = NEWEST) -> Iterator[Operation]:
    for path, methods in document(version)["paths"].items():
        for method, spec in methods.items():
            yield Operation(method, path, spec, version)


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
