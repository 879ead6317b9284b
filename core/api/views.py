"""The base of every API view: parse, ask the matrix, call a service or queryset, render. Nothing else."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils.translation import get_language
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from core.accounts.actor import Actor
from core.api.answers import Answer, CursorPage, NumberedPage, tags_of_rows
from core.api.columns import planned
from core.api.filters import joined
from core.api.pagination import PAGINATIONS, Pagination, bad_parameter
from core.api.renderers import AnswerResponse, is_known_to
from core.api.serializers import OutputSerializer
from core.api.versioning import version_of
from core.audit.subjects import Reading
from core.cache import TTL, Key, Tag, cache
from core.errors import BadRequest, Detail, NotFound, PreconditionFailed
from core.requests import underlying
from core.tenancy.models import Clinic

ALWAYS_KNOWN = {"clinic_id", "api_version"}
IF_MATCH = re.compile(r'^(?:W/)?"([0-9]{1,9})(?:-[0-9a-f]+)?"$')


class KnownParameters(APIView):
    """Refuses query parameters that it doesn't know, so that a misspelt one is noticed; two of what there is one of; and those
    without a value, since a script whose variable is empty would be answered with everything."""

    def known_parameters(self) -> set[str]:
        return ALWAYS_KNOWN

    def several_parameters(self) -> set[str]:
        """Those that take several values, separated by commas or each on its own."""
        return set()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not hasattr(self, str(request.method).lower()):
            self.http_method_not_allowed(request)
        known = self.known_parameters()
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            details = [Detail(name, "unknown_parameter", "There is no such parameter.") for name in unknown]
            raise BadRequest(f"Unknown parameter: {', '.join(unknown)}.", details)
        once = known - self.several_parameters()
        twice = [name for name, values in request.query_params.lists() if len(values) > 1 and name in once]
        if twice:
            details = [Detail(name, "duplicate", "This parameter is given twice.") for name in twice]
            raise BadRequest(f"Given twice: {', '.join(twice)}.", details)
        empty = [name for name, values in request.query_params.lists() if not all(value.strip() for value in values)]
        if empty:
            details = [Detail(name, "required", "This parameter is empty.") for name in empty]
            raise BadRequest(f"Empty: {', '.join(empty)}.", details)


class ClinicViewSet(KnownParameters, GenericViewSet[Any]):
    """A resource of a clinic.

    Subclasses name `resource` (the matrix's), `model`, `output` (serializer of one row; `list_output` for the rows of the
    `list_actions`, if they say less), `orderings`, `filters` (the query parameters a list takes) and, where not every row
    may be seen, give `queryset_for(actor)`. Lists and records are kept in the cache for `kept` at most (None: not at all);
    `also_reads` names models that filters and policies look at beside those that the serializer shows. `file_actions` answer
    with a file in place of JSON.
    """

    resource: ClassVar[str | None]
    model: ClassVar[type[Model]]
    output: ClassVar[type[OutputSerializer]]
    list_output: ClassVar[type[OutputSerializer] | None] = None
    action_outputs: ClassVar[Mapping[str, type[OutputSerializer]]] = {}  # of actions whose answer is no row of the model
    list_actions: ClassVar[frozenset[str]] = frozenset({"list"})
    orderings: ClassVar[dict[str, tuple[str, ...]]] = {"id": ()}
    default_ordering: ClassVar[str] = "id"
    filters: ClassVar[tuple[OpenApiParameter, ...]] = ()
    action_parameters: ClassVar[dict[str, tuple[OpenApiParameter, ...]]] = {}
    file_actions: ClassVar[frozenset[str]] = frozenset()
    clinic_optional: ClassVar[bool] = False
    also_reads: ClassVar[tuple[type[Model], ...]] = ()
    kept: ClassVar[TTL | None] = TTL.DEFAULT
    lookup_value_regex = "[^/.]+"

    # --- What a subclass uses ------------------------------------------------------------------------------------------
    @property
    def actor(self) -> Actor:
        """Who asks. Behind the matrix, so never None where a clinic is needed."""
        actor = underlying(self.request).actor
        assert actor is not None  # noqa: S101  (MatrixPermission has run)
        return actor

    @property
    def clinic(self) -> Clinic:
        clinic = underlying(self.request).clinic
        assert clinic is not None  # noqa: S101  (MatrixPermission has run)
        return clinic

    def queryset_for(self, actor: Actor) -> QuerySet[Any]:
        """The rows this person may see: all of the clinic, unless a subclass says less."""
        rows: QuerySet[Any] = self.model._default_manager.all()
        return rows

    def rows(self) -> QuerySet[Any]:
        """The rows of this request."""
        return self.queryset_for(self.actor)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the list's own query parameters."""
        return queryset

    def body(self, serializer: type[BaseSerializer[Any]], **kwargs: Any) -> dict[str, Any]:
        """The validated body. Raises a ValidationError naming every wrong field, but NotFound first if the path's row is none."""
        given = serializer(data=self.request.data, context=self.get_serializer_context(), **kwargs)
        if not given.is_valid():
            if self.lookup_field in self.kwargs:
                self.row()
            raise ValidationError(dict(given.errors))
        validated: dict[str, Any] = given.validated_data
        return validated

    def key(self) -> UUID:
        """The id in the path. Raises NotFound for what is none."""
        try:
            return UUID(str(self.kwargs[self.lookup_field]))
        except ValueError as error:
            raise NotFound("There is no such record.") from error

    def row(self) -> Any:
        """The row the path names. Raises NotFound, also for another clinic's."""
        return self._first(self.rows())

    def expected_version(self) -> int | None:
        """The version in If-Match, or None when the caller doesn't ask. Raises PreconditionFailed for a foreign tag."""
        header = self.request.headers.get("If-Match", "").strip()
        if header in ("", "*"):
            return None
        match = IF_MATCH.match(header)
        if not match:
            self.row()  # what there is not can't have changed
            raise PreconditionFailed("If-Match is not one of this record's tags.")
        return int(match[1])

    def one(self, row: Any, status: int = 200) -> Response:
        """Answer with one row, its ETag, and 304 when the caller has it already."""
        return self._sent(self._record(row), status)

    @property
    def pages(self) -> type[Pagination]:
        """How the request's version cuts lists into pages."""
        return PAGINATIONS[version_of(self.request)]

    @property
    def is_versioned(self) -> bool:
        """Are the changes of a row counted, so that `If-Match` can be asked for?"""
        model: type[Model] | None = getattr(self, "model", None)
        return model is not None and any(field.name == "version" for field in model._meta.concrete_fields)

    @property
    def paged(self) -> bool:
        """Does the action answer a list in pages? A list whose view has `pagination_class = None` is sent whole."""
        return self.action == "list" and self.pagination_class is not None

    def many(self, rows: Any, serializer: type[OutputSerializer] | None = None) -> Response:
        """Answer with a list that is not cut into pages (a search, slots)."""
        return self._sent(self.answer(rows, serializer=serializer))

    def answer(
        self, rows: Any, page: CursorPage | NumberedPage | None = None, serializer: type[OutputSerializer] | None = None
    ) -> Answer:
        """A list as it is sent and kept."""
        data = (serializer or self.get_serializer_class()).shown(
            rows, {**self.get_serializer_context(), "reading": self._reading()}
        )
        return Answer.of(data, page=page or self.pages.whole(len(data)))

    def through_cache(self, *also: Any, tags: Callable[[], Iterable[Tag]], load: Callable[[], Answer], ttl: TTL) -> Response:
        """Send what `load` makes, or what it made last time for the same address, the same rights and the same `also`.

        The clinic's zone and currency are in the key: they come with the request, so no tag of what is read speaks of them.
        Until then the view may look at those, at the address and the rights and at the minute: within it the same request
        is answered without the view (core.api.ready).
        """
        request = underlying(self.request)
        asked = tuple(sorted((name, tuple(values)) for name, values in request.GET.lists() if name != "fields"))
        sparse = tuple(sorted(self._sparse)) if self._sparse is not None else None
        clinic = (request.clinic.time_zone, request.clinic.currency) if request.clinic else None
        about = (request.path, request.api_version, asked, sparse, clinic, self.seen_as(), get_language())
        key = Key(f"api.{self.basename}.{self.action}", *about, *also)
        return self._sent(cache.get_or_set(key, tags=tags, load=load, ttl=ttl), kept_as=(key.family, key.text()))

    def seen_as(self) -> tuple[Any, ...]:
        """What of the person decides what is shown."""
        return self.actor.seen_as

    # --- The usual actions ------------------------------------------------------------------------------------------------
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._through_cache(self._page_of_rows)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._through_cache(lambda: self._record(self._first(self._planned(self.rows()))), row=self.key())

    # --- Inside -----------------------------------------------------------------------------------------------------------
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._sparse = self._sparse_fields(request)

    def _page_of_rows(self) -> Answer:
        rows = self._planned(self.filtered(self.rows()), also=self.pages.columns(self.request, self))
        return self.answer(*self.pages().cut(rows, self.request, self))

    def _through_cache(self, load: Callable[[], Answer], row: UUID | None = None) -> Response:
        if self.kept is None:
            return self._sent(load())
        return self.through_cache(tags=lambda: self._tags(row), load=load, ttl=self.kept)

    def _tags(self, row: UUID | None) -> Iterable[Tag]:
        return tags_of_rows(self.get_serializer_class(), self.model, self.also_reads, row)

    def _reading(self) -> Reading:
        """How a list of this action is read: was somebody looked for?"""
        is_search = getattr(self, "matrix_actions", {}).get(self.action) == "search" or "search" in self.request.query_params
        return Reading.SEARCH if is_search else Reading.LIST

    def _record(self, row: Any) -> Answer:
        [data] = self.output.shown([row], self.get_serializer_context())
        return Answer.of(data, version=getattr(row, "version", None))

    def _first(self, rows: QuerySet[Any]) -> Any:
        row = rows.filter(pk=self.key()).first()
        if row is None:
            raise NotFound("There is no such record.")
        return row

    def _planned(self, rows: QuerySet[Any], also: Iterable[str] = ()) -> QuerySet[Any]:
        return planned(rows, self.get_serializer_class(), self._sparse, also)

    def get_queryset(self) -> QuerySet[Any]:
        return self.rows()

    def get_serializer_class(self) -> type[OutputSerializer]:
        if self.action in self.action_outputs:
            return self.action_outputs[self.action]
        return self.list_output if self.list_output and self.action in self.list_actions else self.output

    def get_serializer_context(self) -> dict[str, Any]:
        return {
            **super().get_serializer_context(),
            "sparse": getattr(self, "_sparse", None),
            "clinic": underlying(self.request).clinic,
        }

    def known_parameters(self) -> set[str]:
        own = {parameter.name for parameter in self.own_parameters()}
        fields = set() if self.action in self.file_actions else {"fields"}
        return super().known_parameters() | fields | own | (self.pages.parameters() if self.paged else set())

    def several_parameters(self) -> set[str]:
        return {"fields", *(parameter.name for parameter in self.own_parameters() if parameter.style == "form")}

    def own_parameters(self) -> tuple[OpenApiParameter, ...]:
        """Those of this action alone; the OpenAPI document lists them."""
        return self.filters if self.action == "list" else self.action_parameters.get(self.action, ())

    def _sparse_fields(self, request: Request) -> frozenset[str] | None:
        text = joined(request, "fields")
        if text is None:
            return None
        wanted = frozenset(name.strip() for name in text.split(",") if name.strip())
        unknown = sorted(wanted - set(self.get_serializer_class()().fields))
        if unknown or not wanted:
            raise bad_parameter(
                "fields", f"Unknown field: {', '.join(unknown)}." if unknown else "fields names at least one field."
            )
        return wanted

    def _sent(self, answer: Answer, status: int = 200, kept_as: tuple[str, str] | None = None) -> Response:
        known = is_known_to(underlying(self.request), answer)
        return AnswerResponse(answer, 304 if known else status, kept_as)
