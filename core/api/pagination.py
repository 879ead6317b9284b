"""Keyset pages: the last page costs what the first one does, and rows that come and go don't shift the others."""

import base64
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import BadRequest, Detail
from core.security.crypto import Undecipherable, decrypt, encrypt

DEFAULT_LIMIT, MAX_LIMIT = 25, 100
CONTEXT = "api.cursor"


def bad_parameter(name: str, message: str) -> BadRequest:
    return BadRequest(message, [Detail(name, "invalid", message)])


class ListResponse(Response):
    """A list and where it stands among its pages (`meta.page`)."""

    def __init__(self, data: Any, page: dict[str, Any]) -> None:
        super().__init__(data)
        self.page = page


class KeysetPagination(BasePagination):
    """Orders by a view's `orderings` (name -> columns) and `id`; the cursor is encrypted, since it may hold a name."""

    page: dict[str, Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        limit = wanted_limit(request)
        name, columns, descending = self._ordering(request, view)
        backwards, position = self._position(request, name, columns)
        reverse = descending != backwards
        keys = [*columns, "id"]
        queryset = queryset.order_by(*(f"-{key}" if reverse else key for key in keys))
        if position is not None:
            compare = TupleLessThan if reverse else TupleGreaterThan
            queryset = queryset.filter(compare(Tuple(*keys), tuple(position)))
        rows = list(queryset[: limit + 1])
        more, rows = len(rows) > limit, rows[:limit]
        if backwards:
            rows.reverse()
        has_next, has_previous = (True, more) if backwards else (more, position is not None)
        self.page = {
            "limit": limit,
            "next": self._cursor(rows[-1], name, keys, "next") if rows and has_next else None,
            "previous": self._cursor(rows[0], name, keys, "previous") if rows and has_previous else None,
        }
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return ListResponse(data, self.page)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema  # the envelope is added to every operation alike (core.api.schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = sorted(view.orderings)
        return [
            _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}, "Rows a page."),
            _parameter("cursor", {"type": "string"}, "`meta.page.next` or `previous` of another page."),
            _parameter(
                "ordering", {"type": "string", "enum": [*names, *(f"-{name}" for name in names)]}, "A minus sorts downwards."
            ),
        ]

    def _ordering(self, request: Request, view: Any) -> tuple[str, tuple[str, ...], bool]:
        wanted = request.query_params.get("ordering") or view.default_ordering
        name = wanted.removeprefix("-")
        if name not in view.orderings:
            raise bad_parameter("ordering", f"ordering is one of {', '.join(sorted(view.orderings))}, with - for downwards.")
        return wanted, view.orderings[name], wanted.startswith("-")

    def _position(self, request: Request, name: str, columns: tuple[str, ...]) -> tuple[bool, list[Any] | None]:
        cursor = request.query_params.get("cursor")
        if not cursor:
            return False, None
        try:
            sealed = base64.urlsafe_b64decode(cursor.encode("ascii"))
            ordering, direction, values = json.loads(decrypt(sealed, context=CONTEXT))
        except (ValueError, Undecipherable) as error:
            raise bad_parameter("cursor", "The cursor is not one of ours.") from error
        if ordering != name or len(values) != len(columns) + 1:
            raise bad_parameter("cursor", "The cursor belongs to another ordering.")
        return direction == "previous", values

    def _cursor(self, row: Model, name: str, keys: list[str], direction: str) -> str:
        values = [_plain(getattr(row, key)) for key in keys]
        sealed = encrypt(json.dumps([name, direction, values]).encode(), context=CONTEXT)
        return base64.urlsafe_b64encode(sealed).decode()


def wanted_limit(request: Request) -> int:
    """How many rows the request asks for. Raises BadRequest."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise bad_parameter("limit", f"limit is a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
