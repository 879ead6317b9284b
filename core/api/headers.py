"""The headers of the contract, as the OpenAPI document names them."""

from typing import Any

from core.api.versioning import DEPRECATED_SINCE

Described = dict[str, Any]

TEXT = {"type": "string"}
NUMBER = {"type": "integer", "minimum": 0}


def _sent(name: str, description: str, schema: Described = TEXT) -> Described:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


CLINIC = _sent("X-Clinic-ID", "The clinic, as id or slug. Not needed by a person of one clinic.")
REQUEST_ID = _sent("X-Request-ID", "Comes back in the answer; a UUID, or 8 to 64 of A-Z a-z 0-9 -. Else we make one.")
IDEMPOTENCY_KEY = _sent(
    "Idempotency-Key",
    "A repeat with the same key and body within 24 hours gets the first answer.",
    {"type": "string", "minLength": 8, "maxLength": 128, "pattern": r"^[!-~]{8,128}$"},
)
IF_MATCH = _sent("If-Match", "The `ETag` of the record as it was read: 412 when somebody changed it since.")
IF_NONE_MATCH = _sent("If-None-Match", "The `ETag` of an earlier answer: 304 when nothing changed.")


def _answered(description: str, schema: Described, *, always: bool = True) -> Described:
    return {"description": description, "schema": schema, "required": always}


HEADERS: dict[str, Described] = {
    "X-Request-ID": _answered("Yours, if it was well-formed. In our logs too.", TEXT),
    "X-API-Version": _answered("The version this answer is in.", TEXT),
    "Server-Timing": _answered("Milliseconds in all and in the database, number of queries, whether from the cache.", TEXT),
    "X-RateLimit-Limit": _answered("Requests allowed in the tightest window.", NUMBER),
    "X-RateLimit-Remaining": _answered("Requests left in it.", NUMBER),
    "X-RateLimit-Reset": _answered("Seconds until there is room for one more.", NUMBER),
    "X-API-Deprecated": _answered("This version will go.", {"type": "string", "const": "true"}),
    "X-API-Sunset": _answered("The day from which it may be gone.", {"type": "string", "format": "date"}),
    "Deprecation": _answered("Since when it is deprecated (RFC 9745).", {"type": "string", "pattern": "^@[0-9]+$"}),
    "Sunset": _answered("The same day as `X-API-Sunset` (RFC 8594).", TEXT),
    "Link": _answered("`successor-version`: the same address in the newest version.", TEXT),
    "ETag": _answered("Tells this state from others: for `If-None-Match`, and a record's for `If-Match`.", TEXT),
    "Idempotency-Replayed": _answered("`true` when this is the first answer again.", TEXT, always=False),
    "X-HMS-Position": _answered("Send it back with the reads that have to see this write.", TEXT, always=False),
    "WWW-Authenticate": _answered("How to sign in.", TEXT),
    "Allow": _answered("The methods there are.", TEXT),
    "Retry-After": _answered("Seconds to wait before the same request may succeed.", {"type": "integer", "minimum": 1}),
}
OF_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
OF_EVERY_ANSWER = ("X-Request-ID", "X-API-Version", "Server-Timing", *OF_LIMITS)
OF_A_DEPRECATED_VERSION = ("X-API-Deprecated", "X-API-Sunset", "Deprecation", "Sunset", "Link")
OF_A_STATUS = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}


def _maybe(*names: str) -> dict[str, Described]:
    return {name: {**HEADERS[name], "required": False} for name in names}


NOT_ALWAYS = {409: _maybe("Retry-After"), 412: _maybe("ETag")}  # by status


def headers_of(version: str, *own: str) -> dict[str, Described]:
    """References to the headers of an answer in this version: those of every answer, and its `own`."""
    of_version = OF_A_DEPRECATED_VERSION if version in DEPRECATED_SINCE else ()
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*OF_EVERY_ANSWER, *of_version, *own)}
