"""How lists are cut into pages: by cursor in version 2, by number in version 1."""

import base64
import json
from abc import abstractmethod
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.pagination import BasePagination
from rest_framework.request import Request

from core.api.answers import CursorPage, NumberedPage
from core.errors import BadRequest, Detail
from core.security.crypto import Undecipherable, decrypt, encrypt

MAX_ROWS = 100  # of one page
MAX_DIGITS = 9  # of a page's number
CONTEXT = "api.cursor"


def bad_parameter(name: str, message: str, code: str = "invalid") -> BadRequest:
    return BadRequest(message, [Detail(name, code, message)])


class Pagination(BasePagination):
    """What both ways share: the order, by a view's `orderings` (name -> columns) and `id`; and how many rows a page has.

    `size` names the parameter for the rows of a page, `default` is their number without it, `position` names the other one;
    `envelope` is what a list is sent in.
    """

    size: ClassVar[str]
    position: ClassVar[str]
    default: ClassVar[int]
    envelope: ClassVar[str]

    @classmethod
    def parameters(cls) -> set[str]:
        """The query parameters that a list cut this way takes."""
        return {cls.size, cls.position, "ordering"}

    @classmethod
    def rows(cls, request: Request) -> int:
        """How many rows a page has. Raises BadRequest."""
        return number_parameter(request, cls.size, cls.default, MAX_ROWS)

    @classmethod
    @abstractmethod
    def whole(cls, count: int) -> CursorPage | NumberedPage:
        """The page of a list that is not cut."""

    @abstractmethod
    def cut(self, queryset: QuerySet[Any], request: Request, view: Any) -> tuple[list[Any], CursorPage | NumberedPage]:
        """The wanted rows, and where they stand. Raises BadRequest."""

    @classmethod
    def columns(cls, request: Request, view: Any) -> tuple[str, ...]:
        """What the wanted ordering reads of a row. Raises BadRequest."""
        return cls._ordering(request, view)[1]

    @classmethod
    def described(cls, view: Any) -> list[dict[str, Any]]:
        """The parameters, for the OpenAPI document."""
        names = sorted(view.orderings)
        rows = {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": cls.default}
        orderings = {"type": "string", "enum": [*names, *(f"-{name}" for name in names)]}
        return [
            _parameter(cls.size, rows, "Rows a page."),
            _parameter("ordering", orderings, f"A minus sorts downwards; {view.default_ordering} when left out."),
        ]

    @staticmethod
    def _ordering(request: Request, view: Any) -> tuple[str, tuple[str, ...], bool]:
        wanted = request.query_params.get("ordering", view.default_ordering)
        name = wanted.removeprefix("-")
        if name not in view.orderings:
            raise bad_parameter("ordering", f"ordering is one of {', '.join(sorted(view.orderings))}, with - for downwards.")
        return wanted, view.orderings[name], wanted.startswith("-")


class KeysetPagination(Pagination):
    """The last page costs what the first one does, and rows that come and go don't shift the others.

    The cursor is encrypted, since it may hold a name.
    """

    size, position, default = "limit", "cursor", 25
    envelope = "`{data, meta}` with `meta.page`"

    @classmethod
    def whole(cls, count: int) -> CursorPage:
        return CursorPage(count)

    @classmethod
    def described(cls, view: Any) -> list[dict[str, Any]]:
        return [
            *super().described(view),
            _parameter("cursor", {"type": "string"}, "`meta.page.next` or `previous` of another page."),
        ]

    def cut(self, queryset: QuerySet[Any], request: Request, view: Any) -> tuple[list[Any], CursorPage]:
        limit = self.rows(request)
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
        after = self._place(rows[-1], name, keys, "next") if rows and has_next else None
        before = self._place(rows[0], name, keys, "previous") if rows and has_previous else None
        return rows, CursorPage(limit, _sealed(after), _sealed(before), mark=f"{limit} {after} {before}")

    def _position(self, request: Request, name: str, columns: tuple[str, ...]) -> tuple[bool, list[Any] | None]:
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return False, None
        try:
            sealed = base64.urlsafe_b64decode(cursor.encode("ascii"))
            ordering, direction, values = json.loads(decrypt(sealed, context=CONTEXT))
        except (ValueError, Undecipherable) as error:
            raise bad_parameter("cursor", "The cursor is not one of ours.") from error
        if ordering != name or len(values) != len(columns) + 1:
            raise bad_parameter("cursor", "The cursor belongs to another ordering.")
        return direction == "previous", values

    def _place(self, row: Model, name: str, keys: list[str], direction: str) -> str:
        return json.dumps([name, direction, [_plain(getattr(row, key)) for key in keys]])


class NumberedPagination(Pagination):
    """Version 1's pages. They are counted with every request, and a late one reads all before it: new callers take cursors."""

    size, position, default = "page_size", "page", 20
    envelope = "`{data, pagination}`"

    @classmethod
    def whole(cls, count: int) -> NumberedPage:
        return NumberedPage(1, count, count, min(count, 1))

    @classmethod
    def described(cls, view: Any) -> list[dict[str, Any]]:
        number = {"type": "integer", "minimum": 1, "maximum": 10**MAX_DIGITS - 1}
        return [*super().described(view), _parameter("page", number, "The page's number, from 1; one after the last is refused.")]

    def cut(self, queryset: QuerySet[Any], request: Request, view: Any) -> tuple[list[Any], NumberedPage]:
        size = self.rows(request)
        number = number_parameter(request, "page", 1, 10**MAX_DIGITS - 1)
        _, columns, descending = self._ordering(request, view)
        total = queryset.count()
        pages = -(-total // size)
        if number > max(pages, 1):
            raise bad_parameter("page", f"There is no page {number}; the last one is {max(pages, 1)}.", "out_of_range")
        rows = queryset.order_by(*(f"-{key}" if descending else key for key in (*columns, "id")))
        return list(rows[(number - 1) * size : number * size]), NumberedPage(number, size, total, pages)


PAGINATIONS: dict[str, type[Pagination]] = {"1.0": NumberedPagination, "2.0": KeysetPagination}


def number_parameter(request: Request, name: str, default: int, largest: int) -> int:
    """A parameter from 1 to `largest`. Raises BadRequest."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and 1 <= int(text) <= largest):
        raise bad_parameter(name, f"{name} is a number from 1 to {largest}.")
    return int(text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


def _sealed(place: str | None) -> str | None:
    return None if place is None else base64.urlsafe_b64encode(encrypt(place.encode(), context=CONTEXT)).decode()


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
