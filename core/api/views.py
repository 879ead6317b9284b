"""The base of every API view: parse, ask the matrix, call a service or queryset, render. Nothing else."""

import hashlib
import re
from typing import Any, ClassVar
from uuid import UUID

import orjson
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.viewsets import GenericViewSet

from core.accounts.actor import Actor
from core.api.pagination import KeysetPagination, ListResponse, bad_parameter
from core.api.serializers import OutputSerializer
from core.api.versioning import SaysItsVersion
from core.errors import BadRequest, Detail, NotFound, PreconditionFailed
from core.requests import underlying
from core.tenancy.models import Clinic

ALWAYS_KNOWN = {"clinic_id", "api_version", "fields", "format"}
LIST_PARAMETERS = {"limit", "cursor", "ordering"}
IF_MATCH = re.compile(r'^(?:W/)?"([0-9]{1,9})(?:-[0-9a-f]+)?"$')
_encode_rest = JSONEncoder().default


class ClinicViewSet(SaysItsVersion, GenericViewSet[Any]):
    """A resource of a clinic.

    Subclasses name `resource` (the matrix's), `output` (serializer of one row; `list_output` for the rows of the
    `list_actions`, if they say less), `orderings`, `filters` (the query parameters a list takes) and give
    `queryset_for(actor)`.
    """

    resource: ClassVar[str | None]
    output: ClassVar[type[OutputSerializer]]
    list_output: ClassVar[type[OutputSerializer] | None] = None
    list_actions: ClassVar[frozenset[str]] = frozenset({"list"})
    orderings: ClassVar[dict[str, tuple[str, ...]]] = {"id": ()}
    default_ordering: ClassVar[str] = "id"
    filters: ClassVar[frozenset[str]] = frozenset()
    action_parameters: ClassVar[dict[str, frozenset[str]]] = {}
    parameter_help: ClassVar[dict[str, str]] = {}
    clinic_optional: ClassVar[bool] = False
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
        """The rows this person may see."""
        raise TypeError(f"{type(self).__name__} does not say which rows may be seen.")

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
        row = self.rows().filter(pk=self.key()).first()
        if row is None:
            raise NotFound("There is no such record.")
        return row

    def expected_version(self) -> int | None:
        """The version in If-Match, or None when the caller doesn't ask. Raises PreconditionFailed for a foreign tag."""
        header = self.request.headers.get("If-Match", "").strip()
        if header in ("", "*"):
            return None
        match = IF_MATCH.match(header)
        if not match:
            raise PreconditionFailed("If-Match is not one of this record's tags.")
        return int(match[1])

    def one(self, row: Any, status: int = 200) -> Response:
        """Answer with one row, its ETag, and 304 when the caller has it already."""
        data = self.output(row, context=self.get_serializer_context()).data
        version = getattr(row, "version", None)
        tag = f'"{version}-{digest(data)}"' if version is not None else f'"{digest(data)}"'
        return self._tagged(Response(data, status=status), tag)

    def many(self, rows: Any, page: dict[str, Any] | None = None, serializer: type[OutputSerializer] | None = None) -> Response:
        """Answer with a list; without `page` it is one that is not paginated by the database (a search, slots)."""
        shape = serializer or self.get_serializer_class()
        data = shape(rows, many=True, context=self.get_serializer_context()).data
        response = ListResponse(data, page or {"limit": len(data), "next": None, "previous": None})
        return self._tagged(response, f'"{digest(data)}"')

    # --- The usual actions ------------------------------------------------------------------------------------------------
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        pages = KeysetPagination()
        rows = pages.paginate_queryset(self.filtered(self.rows()), request, self)
        return self.many(rows, pages.page)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.one(self.row())

    # --- Inside -----------------------------------------------------------------------------------------------------------
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._refuse_unknown_parameters(request)
        self._sparse = self._sparse_fields(request)

    def get_queryset(self) -> QuerySet[Any]:
        return self.rows()

    def get_serializer_class(self) -> type[OutputSerializer]:
        return self.list_output if self.list_output and self.action in self.list_actions else self.output

    def get_serializer_context(self) -> dict[str, Any]:
        return {
            **super().get_serializer_context(),
            "sparse": getattr(self, "_sparse", None),
            "clinic": underlying(self.request).clinic,
        }

    def known_parameters(self) -> set[str]:
        return ALWAYS_KNOWN | self.own_parameters() | (LIST_PARAMETERS if self.action == "list" else set())

    def own_parameters(self) -> frozenset[str]:
        """Those of this action alone; the OpenAPI document lists them."""
        return self.filters if self.action == "list" else self.action_parameters.get(self.action, frozenset())

    def _refuse_unknown_parameters(self, request: Request) -> None:
        known = self.known_parameters()
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            details = [Detail(name, "unknown_parameter", "There is no such parameter.") for name in unknown]
            raise BadRequest(f"Unknown parameter: {', '.join(unknown)}.", details)

    def _sparse_fields(self, request: Request) -> set[str] | None:
        text = request.query_params.get("fields")
        if text is None:
            return None
        wanted = {name.strip() for name in text.split(",") if name.strip()}
        unknown = sorted(wanted - set(self.get_serializer_class()().fields))
        if unknown or not wanted:
            raise bad_parameter(
                "fields", f"Unknown field: {', '.join(unknown)}." if unknown else "fields names at least one field."
            )
        return wanted

    def _tagged(self, response: Response, tag: str) -> Response:
        response["ETag"] = tag
        sent = self.request.headers.get("If-None-Match", "").split(",")
        known = {part.strip().removeprefix("W/") for part in sent}  # a compressed answer's tag went out as a weak one
        if self.request.method in ("GET", "HEAD") and (tag in known or "*" in known):
            return Response(status=304, headers={"ETag": tag})
        return response


def digest(data: Any) -> str:
    """A short digest of an answer's data, for its ETag."""
    return hashlib.blake2b(orjson.dumps(data, default=_encode_rest), digest_size=8).hexdigest()
