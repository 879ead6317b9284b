"""What can go wrong by the house's own rules. Raised where the rule is; mapped once for the API, once for pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured


class ClinicScopeRequired(ImproperlyConfigured):
    """A clinic's table was used outside of a clinic scope: a programmer's mistake, never a user's."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One wrong field: its name as the API writes it (dots for nesting), a stable code, a sentence."""

    field: str
    code: str
    message: str


@dataclass(eq=False)
class DomainError(Exception):
    """A rule refused. `code` is the contract's; `details` name fields; `extra` goes into the error body."""

    message: str
    details: Sequence[Detail] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    code = "BAD_REQUEST"
    status = 400
    retry_after = 0  # seconds after which the same request may succeed; 0 says nothing

    def __post_init__(self) -> None:
        super().__init__(str(self.message))


class BadRequest(DomainError):
    """The request itself is malformed."""


class ValidationFailed(DomainError):
    """One or more fields are wrong; `details` lists all of them."""

    code = "VALIDATION_ERROR"


class NotAuthenticated(DomainError):
    code = "AUTHENTICATION_ERROR"
    status = 401


class NotAllowed(DomainError):
    """The role may not, or the clinic is not one of the user's."""

    code = "AUTHORIZATION_ERROR"
    status = 403


class NotFound(DomainError):
    """There is no such record, or it is another clinic's: the two look alike."""

    code = "NOT_FOUND"
    status = 404


class Conflict(DomainError):
    """The record's or the clinic's present state forbids it."""

    code = "CONFLICT"
    status = 409


class PreconditionFailed(DomainError):
    """Somebody changed the record since it was read."""

    code = "PRECONDITION_FAILED"
    status = 412

    @classmethod
    def at(cls, version: int, message: str) -> "PreconditionFailed":
        """`version` is the record's present one: told to machines, also as the `ETag` to send next."""
        return cls(message, extra={"current_version": version})


class PayloadTooLarge(DomainError):
    code = "PAYLOAD_TOO_LARGE"
    status = 413


class UnsupportedMediaType(DomainError):
    """The body is of a kind, or in a charset, that is not read here."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class RateLimited(DomainError):
    """Too many requests in too short a time; `retry_after` says when there is room for one more."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """Something HMS can't do without is away, or was too slow."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    retry_after = 5


class Busy(Conflict):
    """Somebody else works on the same rows at this moment."""

    retry_after = 1


def invalid(field_name: str, code: str, message: str) -> ValidationFailed:
    """The common case: one field is wrong."""
    return ValidationFailed(message, [Detail(field_name, code, message)])
