"""Clinics, and what they consist of, for machines."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from clinics import services
from clinics.api import serializers as shapes
from clinics.models import Department, Location, Provider, Room
from clinics.policies import visible_clinics, visible_memberships, visible_staff
from core.accounts.actor import Actor
from core.accounts.models import Membership
from core.api.filters import choice_filter, flag_filter, one_or_more, query, uuid_filter
from core.api.serializers import InputSerializer, OutputSerializer
from core.api.views import ClinicViewSet
from core.cache import TTL
from core.requests import underlying
from core.tenancy.models import Clinic

IS_ACTIVE = query("is_active", OpenApiTypes.BOOL, "Only those in use, or only those no longer in use.")


class ClinicsView(ClinicViewSet):
    """The clinics one belongs to; all of them for platform roles. Needs no `X-Clinic-ID`."""

    resource = "clinic"
    clinic_optional = True
    model = Clinic
    kept = None  # another list for each person
    output = shapes.ClinicOutput
    orderings = {"name": ("name",), "id": ()}
    default_ordering = "name"

    def rows(self) -> QuerySet[Clinic]:
        inner = underlying(self.request)
        return visible_clinics(inner.actor, inner.memberships)


class _PartView(ClinicViewSet):
    """A part of a clinic: list, retrieve, create, change."""

    kept = TTL.CLINIC
    input: ClassVar[type[InputSerializer]]
    create_part: ClassVar[Callable[..., Any]]
    update_part: ClassVar[Callable[..., Any]]
    key_argument: ClassVar[str]
    orderings = {"name": ("name",), "created": ()}
    default_ordering = "name"
    filters: ClassVar[tuple[OpenApiParameter, ...]] = (IS_ACTIVE,)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return flag_filter(queryset, self.request, "is_active")

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = type(self).create_part(actor=self.actor, data=self.body(self.input))
        return self.one(row, status=201)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        given = {self.key_argument: self.key(), "changes": self.body(self.input, partial=True)}
        return self.one(type(self).update_part(actor=self.actor, expected_version=self.expected_version(), **given))


def _described(body: type[InputSerializer], answer: type[OutputSerializer]) -> Any:
    """What the document can't see in a view's code."""
    return extend_schema_view(
        create=extend_schema(request=body, responses={201: answer}),
        partial_update=extend_schema(request=body, responses=answer),
    )


@_described(shapes.LocationInput, shapes.LocationOutput)
class LocationsView(_PartView):
    """Where the clinic sees patients."""

    resource = "location"
    model = Location
    output = shapes.LocationOutput
    input = shapes.LocationInput
    create_part = staticmethod(services.create_location)
    update_part = staticmethod(services.update_location)
    key_argument = "location_id"


@_described(shapes.DepartmentInput, shapes.DepartmentOutput)
class DepartmentsView(_PartView):
    resource = "department"
    model = Department
    output = shapes.DepartmentOutput
    input = shapes.DepartmentInput
    create_part = staticmethod(services.create_department)
    update_part = staticmethod(services.update_department)
    key_argument = "department_id"


@_described(shapes.RoomInput, shapes.RoomOutput)
class RoomsView(_PartView):
    resource = "room"
    model = Room
    output = shapes.RoomOutput
    input = shapes.RoomInput
    create_part = staticmethod(services.create_room)
    update_part = staticmethod(services.update_room)
    key_argument = "room_id"
    filters = (IS_ACTIVE, query("location", OpenApiTypes.UUID, "Only at this location."))

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return uuid_filter(super().filtered(queryset), self.request, "location")


@_described(shapes.ProviderInput, shapes.ProviderOutput)
class ProvidersView(_PartView):
    """Those who see patients."""

    resource = "provider"
    model = Provider
    output = shapes.ProviderOutput
    input = shapes.ProviderInput
    create_part = staticmethod(services.create_provider)
    update_part = staticmethod(services.update_provider)
    key_argument = "provider_id"
    filters = (IS_ACTIVE, query("department", OpenApiTypes.UUID, "Only of this department."))

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return uuid_filter(super().filtered(queryset), self.request, "department")


class StaffView(ClinicViewSet):
    """Who works in the clinic now."""

    resource = "staff"
    model = Membership
    kept = TTL.CLINIC
    output = shapes.StaffOutput
    orderings = {"id": ()}

    def queryset_for(self, actor: Actor) -> QuerySet[Membership]:
        return visible_staff(actor)


class MembershipsView(ClinicViewSet):
    """Everybody's place in the clinic: staff, patients with an account, those who left."""

    resource = "membership"
    model = Membership
    kept = TTL.CLINIC
    output = shapes.MembershipOutput
    orderings = {"id": ()}
    filters = (query("state", one_or_more(Membership.State.values), "One or more states, separated by commas."),)

    def queryset_for(self, actor: Actor) -> QuerySet[Membership]:
        return visible_memberships(actor)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return choice_filter(queryset, self.request, "state", Membership.State.values)
