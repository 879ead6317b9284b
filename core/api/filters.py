"""Query parameters of lists: read strictly, applied as plain conditions. An absent one changes nothing."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from core.api.pagination import bad_parameter


def query(name: str, kind: Any, description: str, *, required: bool = False) -> OpenApiParameter:
    """A query parameter of a view, for its document and for its list of what is known; `kind` is a type or a JSON schema."""
    joined: dict[str, Any] = {"style": "form", "explode": False} if isinstance(kind, dict) and kind.get("type") == "array" else {}
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, required=required, description=description, **joined)


def one_or_more(choices: Iterable[str]) -> dict[str, Any]:
    """The schema of words separated by commas."""
    return {"type": "array", "items": {"type": "string", "enum": list(choices)}, "minItems": 1}


def joined(request: Request, name: str) -> str | None:
    """A parameter of several values, with commas between them however they came; None without it."""
    return ",".join(request.query_params.getlist(name)) if name in request.query_params else None


def text_parameter(request: Request, name: str, *, max_length: int = 200) -> str | None:
    """The parameter's text, or None. Raises BadRequest when too long or unstorable."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if len(text) > max_length or "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise bad_parameter(name, f"{name} is a text of at most {max_length} characters.")
    return text


def flag_filter(queryset: QuerySet[Any], request: Request, name: str) -> QuerySet[Any]:
    text = request.query_params.get(name)
    if text is None:
        return queryset
    if text not in ("true", "false"):
        raise bad_parameter(name, f"{name} is true or false.")
    return queryset.filter(**{name: text == "true"})


def uuid_filter(queryset: QuerySet[Any], request: Request, name: str, column: str = "") -> QuerySet[Any]:
    text = request.query_params.get(name)
    if text is None:
        return queryset
    try:
        return queryset.filter(**{column or f"{name}_id": UUID(text)})
    except ValueError as error:
        raise bad_parameter(name, f"{name} is an id.") from error


def choice_filter(queryset: QuerySet[Any], request: Request, name: str, choices: Iterable[str], column: str = "") -> QuerySet[Any]:
    """One or several words, separated by commas."""
    text = joined(request, name)
    if text is None:
        return queryset
    known, wanted = list(choices), text.split(",")
    if not set(wanted) <= set(known):
        raise bad_parameter(name, f"{name} is one or more of {', '.join(known)}.")
    return queryset.filter(**{f"{column or name}__in": wanted})


def date_parameter(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        if len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError as error:
        raise bad_parameter(name, f"{name} is a date, YYYY-MM-DD.") from error


def instant_parameter(request: Request, name: str) -> datetime | None:
    """An instant with offset. A plus that arrived as a space is read as a plus."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
        if instant.tzinfo is None or not 1900 <= instant.year <= 2999:
            raise ValueError(text)
    except ValueError as error:
        raise bad_parameter(name, f"{name} is a time with offset, such as 2026-01-31T10:30:00Z.") from error
    return instant
