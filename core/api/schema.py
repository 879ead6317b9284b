"""OpenAPI made from the code: what drf-spectacular can't see of an operation, and the parts that all operations share."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from core.accounts.api_keys.scopes import SCOPES
from core.api import headers
from core.api.codes import CODES, STATUSES, of_status
from core.api.examples import add_examples, error_example
from core.api.pagination import PAGINATIONS
from core.api.permissions import matrix_action
from core.api.serializers import InputSerializer, WallTime
from core.api.versioning import BY_PATH, DEPRECATED_SINCE
from core.api.views import ClinicViewSet, KnownParameters

PREFIX = re.compile(r"/api/(v\d+)/")
SCHEMA = "#/components/schemas/"
STRING = {"type": "string"}
DETAIL_SCHEMA = {
    "type": "object",
    "required": ["field", "code", "message"],
    "properties": {"field": STRING, "code": STRING, "message": STRING},
}
ERROR_SCHEMA = {
    "type": "object",
    "required": ["code", "message", "details", "request_id", "timestamp"],
    "properties": {
        "code": {"type": "string", "enum": [code.name for code in CODES]},
        "message": STRING,
        "details": {"type": "array", "items": {"$ref": f"{SCHEMA}ErrorDetail"}},
        "request_id": STRING,
        "timestamp": {"type": "string", "format": "date-time"},
        "current_version": {
            "type": "integer",
            "description": "With a 412: the record's version now. The `ETag` beside it may be sent as the next `If-Match`.",
        },
        "alternatives": {
            "type": "array",
            "description": "With a 409 for a taken slot: the nearest free ones.",
            "items": {"type": "object"},
        },
        "status": {"type": "string", "description": "With a 409 for a step that is not possible now: the present status."},
        "duplicates": {
            "type": "array",
            "description": "With a 409 for a patient who seems to be registered already.",
            "items": {"type": "object"},
        },
    },
}
SHARED_SCHEMAS: dict[str, Any] = {
    "Error": ERROR_SCHEMA,
    "ErrorAnswer": {"type": "object", "required": ["error"], "properties": {"error": {"$ref": f"{SCHEMA}Error"}}},
    "ErrorDetail": DETAIL_SCHEMA,
    "Meta": {"type": "object", "required": ["request_id"], "properties": {"request_id": STRING}},
}
OF_VERSION: dict[str, dict[str, Any]] = {
    "1.0": {
        "Pagination": {
            "type": "object",
            "required": ["page", "page_size", "total", "pages"],
            "properties": {name: {"type": "integer", "minimum": 0} for name in ("page", "page_size", "total", "pages")},
        },
    },
    "2.0": {
        "Page": {
            "type": "object",
            "required": ["limit", "next", "previous"],
            "properties": {
                "limit": {"type": "integer", "minimum": 0},
                "next": {"type": ["string", "null"]},
                "previous": {"type": ["string", "null"]},
            },
        },
        "ListMeta": {
            "type": "object",
            "required": ["request_id", "page"],
            "properties": {"request_id": STRING, "page": {"$ref": f"{SCHEMA}Page"}},
        },
    },
}
BESIDE_A_LIST = {"1.0": {"pagination": {"$ref": f"{SCHEMA}Pagination"}}, "2.0": {"meta": {"$ref": f"{SCHEMA}ListMeta"}}}
BESIDE_ONE = {"meta": {"$ref": f"{SCHEMA}Meta"}}


class HMSSchema(AutoSchema):
    """One operation. Operation ids have the form `appointments_check_in`."""

    view: Any

    @property
    def version(self) -> str:
        found = PREFIX.match(self.path)
        return BY_PATH[found[1]] if found else ""

    @property
    def is_read(self) -> bool:
        return bool(self.method == "GET")

    @property
    def is_of_a_clinic(self) -> bool:
        return isinstance(self.view, ClinicViewSet)

    @property
    def takes_if_match(self) -> bool:
        """Every change of a row whose changes are counted."""
        return (
            self.is_of_a_clinic and not self.is_read and self.view.is_versioned and f"<{self.view.lookup_field}>" in self.path_regex
        )

    @property
    def is_a_file(self) -> bool:
        """Does the answer hold a file, or a stream, in place of JSON?"""
        return getattr(self.view, "action", None) in getattr(self.view, "file_actions", ())

    def get_tags(self) -> list[str]:
        return [self._words[0]]

    def get_operation_id(self) -> str:
        words = [word.replace("-", "_") for word in self._words if not word.startswith("{")]
        action = getattr(self.view, "action", None) or self.method.lower()
        return "_".join([*(words[:-1] if action.startswith(words[-1]) else words), action])

    def is_deprecated(self) -> bool:
        return self.version in DEPRECATED_SINCE

    def get_override_parameters(self) -> list[Any]:
        """The view's own query parameters, and its ids as what they are."""
        own = self.view.own_parameters() if self.is_of_a_clinic else ()
        ids = re.findall(r"\{(\w+)\}", self.path)
        return [*own, *(OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH) for name in ids)]

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation and isinstance(self.view, KnownParameters):
            operation["parameters"] = [_never_empty(one) for one in [*operation.get("parameters", []), *self._shared_parameters()]]
            for status, answer in operation["responses"].items():
                self._complete(int(status), answer)
            operation["responses"] |= self._other_answers("requestBody" in operation)
        return operation

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        """Bodies are closed: an unknown field is refused."""
        mapped = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(serializer, InputSerializer):
            mapped = {**mapped, "additionalProperties": False}
        if not vars(type(serializer)).get("__doc__"):
            mapped.pop("description", None)  # inherited words are about our code
        return mapped

    def _get_paginator(self) -> None:
        """Pages are the version's affair: `_shared_parameters`."""
        return

    # --- Inside -----------------------------------------------------------------------------------------------------------
    @property
    def _words(self) -> list[str]:
        return PREFIX.sub("", self.path).split("/")

    def _shared_parameters(self) -> list[Any]:
        """What an operation takes beside its own: the clinic, pages, and the headers of the contract."""
        shared: list[Any] = [headers.REQUEST_ID]
        if self.is_of_a_clinic or self.is_a_file:
            shared += [headers.CLINIC, _query("clinic_id", STRING, "As `X-Clinic-ID`.")]
            if self.is_a_file:
                return shared
            if self.method != "DELETE":
                shared.append(self._fields())
            shared.append(headers.IF_NONE_MATCH if self.is_read else headers.IDEMPOTENCY_KEY)
            shared += PAGINATIONS[self.version].described(self.view) if self.view.paged else []
            shared += [headers.IF_MATCH] if self.takes_if_match else []
        return shared

    def _fields(self) -> Any:
        names = sorted(self.view.get_serializer_class()().fields)
        schema = {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1}
        words = "Only these fields, separated by commas: the answer has no others, also where the schema requires them."
        return {**_query("fields", schema, words), "style": "form", "explode": False}

    def _complete(self, status: int, answer: Any) -> None:
        """The envelope around an answer's data, and its headers."""
        own: tuple[str, ...] = () if self.is_read else ("Idempotency-Replayed", "X-HMS-Position") * self.is_of_a_clinic
        if status < 300 and self.is_of_a_clinic and status != 204 and not self.is_a_file:
            own += ("ETag",)
        answer["headers"] = headers.headers_of(self.version, *own)
        if self.is_a_file:
            return
        for media in answer.get("content", {}).values():
            inner = media.get("schema", {})
            beside = BESIDE_A_LIST[self.version] if inner.get("type") == "array" else BESIDE_ONE
            properties = {"data": inner, **beside}
            media["schema"] = {"type": "object", "required": list(properties), "properties": properties}

    def _other_answers(self, has_body: bool) -> dict[str, Any]:
        """304 and every error the operation may give."""
        found: dict[str, Any] = {}
        if self.is_read and self.is_of_a_clinic and not self.is_a_file:
            own = headers.headers_of(self.version, "ETag")
            found["304"] = {"description": "Not modified: `If-None-Match` matches.", "headers": own}
        wanted = {400, 401, 403, 405, 429, 500, 503}
        wanted |= {404} if "{" in self.path else set()
        wanted |= {413, 415} if has_body else set()
        wanted |= set() if self.is_read else {409}
        wanted |= {412} if self.takes_if_match else set()
        return found | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(wanted)}


class WallTimes(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """JSON Schema's own `time` has an offset; a clock's time has none."""

    target_class = "rest_framework.fields.TimeField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return {"type": "string", "format": "time-local", "pattern": WallTime.pattern}


class SignInScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Bearer tokens, and API keys where a scope opens the operation; the browser's session works as well."""

    target_class = "core.api.authentication.RequestUserAuthentication"
    name = ["bearer", "ApiKey"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """Either of them. Beside the key stands the scope that it needs (OpenAPI 3.1, Security Requirement Object)."""
        scope = f"{getattr(auto_schema.view, 'resource', None)}:{matrix_action(auto_schema.view)}"
        return [{"bearer": []}, *([{"ApiKey": [scope]}] if scope in SCOPES else [])]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        key = "`Api-Key hms_…`: a key that an administrator of the clinic has made, with the scopes that the operations name."
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": key},
        ]


def add_shared_parts(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """Errors, headers and envelopes, which operations refer to; and an example for every body and answer."""
    version: str = generator.api_version
    components = result["components"]
    result["info"]["description"] += f" A list is {PAGINATIONS[version].envelope}."
    components["schemas"] = dict(sorted((components.get("schemas", {}) | SHARED_SCHEMAS | OF_VERSION[version]).items()))
    used = {*headers.HEADERS} - (set() if version in DEPRECATED_SINCE else {*headers.OF_A_DEPRECATED_VERSION})
    components["headers"] = {name: one for name, one in headers.HEADERS.items() if name in used}
    components["responses"] = {str(status): _error_answer(status, version) for status in STATUSES}
    add_examples(result)
    return result


def _error_answer(status: int, version: str) -> dict[str, Any]:
    codes = list(of_status(status))
    content = {
        "schema": {"$ref": f"{SCHEMA}ErrorAnswer"},
        "examples": {code.name: {"summary": code.when, "value": error_example(code)} for code in codes},
    }
    return {
        "description": " ".join(f"{code.name}: {code.when}" for code in codes),
        "headers": headers.headers_of(version, *headers.OF_A_STATUS.get(status, ())) | headers.NOT_ALWAYS.get(status, {}),
        "content": {"application/json": content},
    }


def _never_empty(parameter: dict[str, Any]) -> dict[str, Any]:
    """Empty parameters are refused: of a text the schema says so, of everything else it goes without saying."""
    schema = parameter["schema"] if parameter["in"] == "query" else {}
    is_text = schema.get("type") == "string" and not schema.keys() & {"enum", "format"}
    return {**parameter, "schema": {**schema, "pattern": r"\S"}} if is_text else parameter


def _query(name: str, schema: Any, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
