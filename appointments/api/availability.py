"""Free time through the API: slots that can be booked, and a provider's working time."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.api.parameters import FIRST_DAY, LAST_DAY, LOCATION, PROVIDER, Parameters
from appointments.api.serializers import SlotOutput, WorkingTimeOutput
from appointments.models import Service
from appointments.policies import bookable_locations
from appointments.selectors import free_slots, free_time_tags, working_time
from clinics.models import Provider
from core.api.answers import Answer
from core.api.filters import query
from core.api.views import ClinicViewSet
from core.cache import TTL
from core.errors import ValidationFailed

SERVICE = query("service", OpenApiTypes.UUID, "What is to be booked.", required=True)


class FreeTimeView(ClinicViewSet):
    """What is free from now on, kept for the rest of the minute."""

    def _to_the_minute(self, days: tuple[date, date], load: Callable[[], Answer]) -> Response:
        minute = timezone.now().replace(second=0, microsecond=0)
        return self.through_cache(minute, tags=lambda: free_time_tags(*days), load=load, ttl=TTL.EMERGENCY)


class SlotViewSet(FreeTimeView):
    """Visits that could be booked."""

    resource = "slot"
    output = SlotOutput
    filters = (SERVICE, FIRST_DAY, LAST_DAY, PROVIDER, LOCATION)
    pagination_class = None

    @extend_schema(responses=SlotOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Free slots from now on, by start; with the room that would be taken. Not in pages: ask for fewer days."""
        given = Parameters(request)
        service_id = given.uuid("service", required=True)
        provider_id, location_id = given.uuid("provider"), given.uuid("location")
        days = given.period()
        given.check(ValidationFailed)
        load = partial(self._slots, given, service_id, provider_id, location_id, days)
        return self._to_the_minute(days, load)

    def _slots(
        self,
        given: Parameters,
        service_id: UUID | None,
        provider_id: UUID | None,
        location_id: UUID | None,
        days: tuple[date, date],
    ) -> Answer:
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
            actor=self.actor, service=service, first_day=days[0], last_day=days[1], provider_id=provider_id, location_id=location_id
        )
        return self.answer(found)


class AvailabilityViewSet(FreeTimeView):
    """A provider's working time."""

    resource = "slot"
    model = Provider
    output = WorkingTimeOutput
    filters = (FIRST_DAY, LAST_DAY)
    pagination_class = None

    @extend_schema(responses=WorkingTimeOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """When the provider works on these days, and what of it is free from now on."""
        given = Parameters(request)
        first_day, last_day = given.period()
        given.check(ValidationFailed)

        def load() -> Answer:
            provider = self.row()
            return self.answer(working_time(actor=self.actor, provider_id=provider.pk, first_day=first_day, last_day=last_day))

        return self._to_the_minute((first_day, last_day), load)
