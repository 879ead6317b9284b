"""An answer as it is kept and sent: its data as JSON, its ETag, its place among the pages."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Model
from rest_framework.utils.encoders import JSONEncoder

from core.api.columns import Columns
from core.api.serializers import OutputSerializer
from core.cache import Tag

_encode_rest = JSONEncoder().default


def as_json(data: Any) -> bytes:
    """JSON as all answers write it; an `orjson.Fragment` in it is JSON already."""
    return orjson.dumps(data, default=_encode_rest, option=orjson.OPT_NON_STR_KEYS)


@dataclass(frozen=True, slots=True)
class CursorPage:
    """Version 2: how many rows at most, and the cursors of the pages beside it. `mark` tells it from another, for the ETag."""

    limit: int
    next: str | None = None
    previous: str | None = None
    mark: str = ""

    def envelope(self, data: Any, request_id: str) -> dict[str, Any]:
        page = {"limit": self.limit, "next": self.next, "previous": self.previous}
        return {"data": data, "meta": {"request_id": request_id, "page": page}}


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """Version 1: the page's number, and how many rows and pages there are in all."""

    page: int
    page_size: int
    total: int
    pages: int

    @property
    def mark(self) -> str:
        return f"v1 {self.page} {self.page_size} {self.total} {self.pages}"

    def envelope(self, data: Any, request_id: str) -> dict[str, Any]:
        return {"data": data, "pagination": self}


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the data as JSON, without the envelope. Plain, so that the cache may keep it."""

    body: bytes
    etag: str
    page: CursorPage | NumberedPage | None = None

    @classmethod
    def of(cls, data: Any, *, version: int | None = None, page: CursorPage | NumberedPage | None = None) -> "Answer":
        """The ETag is a digest of the data and of the list's place, behind the record's version if it has one."""
        body = bytes(memoryview(as_json(data)))  # what orjson returns holds on to all of its buffer, 16 kB for the smallest
        digest = hashlib.blake2b(body + (page.mark.encode() if page else b""), digest_size=8).hexdigest()
        return cls(body, f'"{digest}"' if version is None else f'"{version}-{digest}"', page)


def tags_of_rows(
    shape: type[OutputSerializer], model: type[Model], also: Iterable[type[Model]] = (), row: UUID | None = None
) -> list[Tag]:
    """On what an answer of these rows depends: the model (or one `row` of it), what the serializer follows, and `also`."""
    others = {*Columns.of(shape, None, model).models, *also} - {model}
    return [Tag.all(model) if row is None else Tag.row(model, row), *(Tag.all(one) for one in others)]
