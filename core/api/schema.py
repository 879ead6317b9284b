"""OpenAPI made from the code, with what drf-spectacular can't see: envelopes, errors, headers."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

ERRORS = {
    "400": "VALIDATION_ERROR or BAD_REQUEST: what was sent is wrong; every wrong field is named.",
    "401": "AUTHENTICATION_ERROR: no, expired or revoked credentials.",
    "403": "AUTHORIZATION_ERROR: the role may not, or the clinic is not one of yours.",
    "404": "NOT_FOUND: also for another clinic's record.",
    "405": "METHOD_NOT_ALLOWED.",
    "409": "CONFLICT: the present state forbids it, or the idempotency key was used for another body.",
    "412": "PRECONDITION_FAILED: `If-Match` does not match.",
    "413": "PAYLOAD_TOO_LARGE: over 1 MB.",
    "415": "UNSUPPORTED_MEDIA_TYPE: send application/json.",
}
ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id", "timestamp"],
            "properties": {
                "code": {"type": "string", "examples": ["VALIDATION_ERROR"]},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "code", "message"],
                        "properties": {
                            "field": {"type": "string", "examples": ["phone"]},
                            "code": {"type": "string", "examples": ["invalid"]},
                            "message": {"type": "string"},
                        },
                    },
                },
                "request_id": {"type": "string"},
                "timestamp": {"type": "string", "format": "date-time"},
                "alternatives": {
                    "type": "array",
                    "description": "With a 409 for a taken slot: the nearest free ones.",
                    "items": {"type": "object"},
                },
                "duplicates": {
                    "type": "array",
                    "description": "With a 409 for a patient who seems to be registered already.",
                    "items": {"type": "object"},
                },
            },
        }
    },
}
META_SCHEMA = {"type": "object", "required": ["request_id"], "properties": {"request_id": {"type": "string"}}}
LIST_META_SCHEMA = {
    "type": "object",
    "required": ["request_id", "page"],
    "properties": {
        "request_id": {"type": "string"},
        "page": {
            "type": "object",
            "required": ["limit", "next", "previous"],
            "properties": {
                "limit": {"type": "integer"},
                "next": {"type": ["string", "null"]},
                "previous": {"type": ["string", "null"]},
            },
        },
    },
}
CLINIC_HEADER = {
    "name": "X-Clinic-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The clinic, as id or slug. Not needed by a person of one clinic.",
}
IDEMPOTENCY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 8, "maxLength": 128},
    "description": "A repeat with the same key and body within 24 hours gets the first answer.",
}
IF_MATCH_HEADER = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` of the record as it was read: 412 when somebody changed it since.",
}
IF_NONE_MATCH_HEADER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` of an earlier answer: 304 when nothing changed.",
}
FIELDS_PARAMETER = {
    "name": "fields",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "Only these fields, separated by commas.",
}


class HMSSchema(AutoSchema):
    """Operation ids in the form `appointments_check_in`."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v2/").split("/")[0]]

    def get_operation_id(self) -> str:
        words = re.sub(r"\{\w+\}", "", self.path.removeprefix("/api/v2/")).replace("-", "_").split("/")
        path = "_".join(word for word in words if word)
        if path.endswith(getattr(self.view, "action", "") or "-"):
            return path
        return f"{path}_{getattr(self.view, 'action', None) or self.method.lower()}"

    def get_override_parameters(self) -> list[Any]:
        """The view's own query parameters, and its ids as what they are."""
        own: frozenset[str] = getattr(self.view, "own_parameters", frozenset)()
        words: dict[str, str] = getattr(self.view, "parameter_help", {})
        query = [OpenApiParameter(name, str, OpenApiParameter.QUERY, description=words.get(name, "")) for name in sorted(own)]
        ids = re.findall(r"\{(\w+)\}", self.path)
        return query + [OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH) for name in ids]


class SignInScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Bearer tokens; the browser's session works as well."""

    target_class = "core.api.authentication.RequestUserAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def only_versioned_paths(endpoints: list[Any], **_: Any) -> list[Any]:
    """One path per operation: the version's own; aliases are described in the text."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v2/")]


def add_envelopes_and_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Wrap every 2xx in the envelope; give every operation its errors and headers."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    for path in result["paths"].values():
        for method, operation in path.items():
            _wrap_answers(operation)
            _add_errors(method, operation)
            _add_parameters(method, operation)
    return result


def _wrap_answers(operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        for media in answer.get("content", {}).values():
            if status.startswith("2"):
                inner = media.get("schema", {})
                is_list = inner.get("type") == "array"
                media["schema"] = {
                    "type": "object",
                    "required": ["data", "meta"],
                    "properties": {"data": inner, "meta": LIST_META_SCHEMA if is_list else META_SCHEMA},
                }


def _add_errors(method: str, operation: dict[str, Any]) -> None:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    wanted = ["400", "401", "403", "404", "405"]
    if method != "get":
        wanted += ["409", "412", "413", "415"]
    for status in wanted:
        operation["responses"].setdefault(status, {"description": ERRORS[status], "content": body})


def _add_parameters(method: str, operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    parameters.append(CLINIC_HEADER)
    if method == "get":
        parameters += [FIELDS_PARAMETER, IF_NONE_MATCH_HEADER]
        operation["responses"].setdefault("304", {"description": "Not modified: `If-None-Match` matches."})
    else:
        parameters.append(IDEMPOTENCY_HEADER)
    if method == "patch":
        parameters.append(IF_MATCH_HEADER)
