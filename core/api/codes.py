"""Every code an error of the API may carry: one table, from which the OpenAPI document is made and which the tests walk."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A code, the status it comes with, when it comes, and a message as an example."""

    name: str
    status: int
    when: str
    example: str


CODES = (
    Code("VALIDATION_ERROR", 400, "A field is wrong; every wrong field is listed at once.", "Some fields are wrong."),
    Code("BAD_REQUEST", 400, "Malformed JSON, an unknown parameter, a bad cursor, no clinic.", "Unknown parameter: colour."),
    Code("AUTHENTICATION_ERROR", 401, "No, expired or revoked credentials.", "Authentication credentials were not provided."),
    Code(
        "AUTHORIZATION_ERROR",
        403,
        "The role may not, the API key lacks the scope (detail `scope_required`), or the clinic is not one of yours.",
        "Your role does not allow this.",
    ),
    Code("NOT_FOUND", 404, "There is no such record, or it is another clinic's.", "There is no such record."),
    Code("METHOD_NOT_ALLOWED", 405, "The address takes other methods.", 'Method "PUT" not allowed.'),
    Code(
        "CONFLICT",
        409,
        "The present state forbids it, the idempotency key was used for another request, or somebody else is at the same rows "
        "(then with `Retry-After`).",
        "This time is taken.",
    ),
    Code("PRECONDITION_FAILED", 412, "`If-Match` is not the record's present tag.", "Somebody changed it meanwhile."),
    Code("PAYLOAD_TOO_LARGE", 413, "The body is over 1 MB, or the file over 10.", "The body is larger than 1 MB."),
    Code(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "Send application/json in UTF-8; with a file multipart/form-data.",
        'Unsupported media type "text/plain" in request.',
    ),
    Code("RATE_LIMIT_EXCEEDED", 429, "Too many requests: try again after `Retry-After` seconds.", "Too many requests."),
    Code("INTERNAL_ERROR", 500, "A fault of ours; nothing was saved.", "Something went wrong on our side. Nothing was saved."),
    Code("SERVICE_UNAVAILABLE", 503, "The database or another needed part is away.", "HMS can't reach its database."),
)
STATUSES = tuple(dict.fromkeys(code.status for code in CODES))


def of_status(status: int) -> Iterator[Code]:
    return (code for code in CODES if code.status == status)
