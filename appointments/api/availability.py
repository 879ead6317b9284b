"""Free time through the API: slots that can be booked, and a provider's working time."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.api.parameters import FIRST_DAY, LAST_DAY, LOCATION, PROVIDER, Parameters, query
from appointments.api.serializers import SlotOutput, WorkingTimeOutput
from appointments.models import Service
from appointments.policies import bookable_locations
from appointments.selectors import free_slots, working_time
from clinics.models import Provider
from core.accounts.actor import Actor
from core.api.views import ALWAYS_KNOWN, ClinicViewSet
from core.errors import ValidationFailed

SERVICE = query("service", OpenApiTypes.UUID, "What is to be booked.", required=True)


class SlotViewSet(ClinicViewSet):
    """Visits that could be booked."""

    resource = "slot"
    output = SlotOutput
    filters = frozenset({"service", "from", "to", "provider", "location"})
    pagination_class = None

    def known_parameters(self) -> set[str]:
        return ALWAYS_KNOWN | self.filters

    @extend_schema(parameters=[SERVICE, FIRST_DAY, LAST_DAY, PROVIDER, LOCATION], responses=SlotOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Free slots from now on, by start; with the room that would be taken. Not in pages: ask for fewer days."""
        given = Parameters(request)
        service_id = given.uuid("service", required=True)
        provider_id, location_id = given.uuid("provider"), given.uuid("location")
        first_day, last_day = given.period()
        service = Service.objects.filter(pk=service_id).first() if service_id else None
        if service_id and service is None:
            given.missing("service")
        if provider_id and not Provider.objects.filter(pk=provider_id).exists():
            given.missing("provider")
        if location_id and not bookable_locations(self.actor).filter(pk=location_id).exists():
            given.missing("location")
        given.check(ValidationFailed)
        assert service is not None  # noqa: S101 (said for the type checker: `check` has raised)
        found = free_slots(
            actor=self.actor, service=service, first_day=first_day, last_day=last_day,
            provider_id=provider_id, location_id=location_id,
        )  # fmt: skip
        return self.many(found)


class AvailabilityViewSet(ClinicViewSet):
    """A provider's working time."""

    resource = "slot"
    output = WorkingTimeOutput
    filters = frozenset({"from", "to"})
    pagination_class = None

    def queryset_for(self, actor: Actor) -> QuerySet[Provider]:
        return Provider.objects.all()

    def known_parameters(self) -> set[str]:
        return ALWAYS_KNOWN | self.filters

    @extend_schema(
        parameters=[OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH), FIRST_DAY, LAST_DAY],
        responses=WorkingTimeOutput(many=True),
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """When the provider works on these days, and what of it is free from now on."""
        provider = self.row()
        given = Parameters(request)
        first_day, last_day = given.period()
        given.check(ValidationFailed)
        return self.many(working_time(actor=self.actor, provider_id=provider.pk, first_day=first_day, last_day=last_day))
