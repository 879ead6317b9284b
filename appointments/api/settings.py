"""Services and hours through the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import services
from appointments.api.parameters import LOCATION, PROVIDER, Parameters
from appointments.api.serializers import (
    HolidayInput,
    HolidayOutput,
    ScheduleExceptionInput,
    ScheduleExceptionOutput,
    ScheduleInput,
    ScheduleOutput,
    ServiceInput,
    ServiceOutput,
)
from appointments.models import Holiday, Schedule, ScheduleException, Service, ServiceProvider
from clinics.models import Provider
from core.accounts.actor import Actor
from core.api.filters import query
from core.api.views import ClinicViewSet
from core.errors import Detail, ValidationFailed, invalid

SINCE = query("from", OpenApiTypes.DATE, "From this day.")
UNTIL = query("to", OpenApiTypes.DATE, "Until this day, included.")


class ServiceViewSet(ClinicViewSet):
    """What can be booked."""

    resource = "service"
    model = Service
    also_reads = (Provider,)
    output = ServiceOutput
    orderings = {"name": ("name",), "id": ()}
    default_ordering = "name"
    filters = (PROVIDER, query("is_active", OpenApiTypes.BOOL, "Only what can, or can't, be booked."))

    def queryset_for(self, actor: Actor) -> QuerySet[Service]:
        offers = ServiceProvider.objects.select_related("provider")
        return Service.objects.prefetch_related(Prefetch("offers", queryset=offers))

    def filtered(self, queryset: QuerySet[Service]) -> QuerySet[Service]:
        given = Parameters(self.request)
        provider_id, is_active = given.uuid("provider"), given.flag("is_active")
        given.check()
        if provider_id:
            queryset = queryset.filter(offers__provider_id=provider_id)
        return queryset if is_active is None else queryset.filter(is_active=is_active)

    @extend_schema(responses=ServiceOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request)

    @extend_schema(responses=ServiceOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=ServiceInput, responses={201: ServiceOutput})
    def create(self, request: Request, **_: Any) -> Response:
        data = self.body(ServiceInput)
        offered_by = data.pop("offered_by", ())
        with money_named():
            service = services.create_service(actor=self.actor, data=self._model_fields(data), offered_by=offered_by)
        return self.one(self.queryset_for(self.actor).get(pk=service.pk), status=201)

    @extend_schema(request=ServiceInput(partial=True), responses=ServiceOutput)
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        data = self.body(ServiceInput, partial=True)
        offered_by = data.pop("offered_by", None)
        with money_named():
            service = services.update_service(
                actor=self.actor, service_id=self.key(), changes=self._model_fields(data),
                offered_by=offered_by, expected_version=self.expected_version(),
            )  # fmt: skip
        return self.one(self.queryset_for(self.actor).get(pk=service.pk))

    def _model_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        price = data.pop("price", None)
        if price is None:
            return data
        if price.get("currency", self.clinic.currency) != self.clinic.currency:
            raise invalid("price.currency", "wrong_currency", f"This clinic's prices are in {self.clinic.currency}.")
        return {**data, "price_amount": price["amount"]}


@contextmanager
def money_named() -> Iterator[None]:
    """The model's `price_amount` is the API's `price.amount`."""
    try:
        yield
    except ValidationFailed as error:
        named = [Detail("price.amount", d.code, d.message) if d.field == "price_amount" else d for d in error.details]
        raise ValidationFailed(error.message, named) from error


class ScheduleViewSet(ClinicViewSet):
    """Weekly hours."""

    resource = "schedule"
    model = Schedule
    output = ScheduleOutput
    orderings = {"weekday": ("weekday", "start_time"), "id": ()}
    default_ordering = "weekday"
    filters = (PROVIDER, LOCATION)

    def queryset_for(self, actor: Actor) -> QuerySet[Schedule]:
        return Schedule.objects.select_related("provider", "location", "room")

    def filtered(self, queryset: QuerySet[Schedule]) -> QuerySet[Schedule]:
        return by_references(self.request, queryset, "provider", "location")

    @extend_schema(responses=ScheduleOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request)

    @extend_schema(responses=ScheduleOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=ScheduleInput, responses={201: ScheduleOutput})
    def create(self, request: Request, **_: Any) -> Response:
        return self.one(services.create_schedule(actor=self.actor, data=self.body(ScheduleInput)), status=201)

    @extend_schema(request=ScheduleInput(partial=True), responses=ScheduleOutput)
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        changes = self.body(ScheduleInput, partial=True)
        version = self.expected_version()
        return self.one(
            services.update_schedule(actor=self.actor, schedule_id=self.key(), changes=changes, expected_version=version)
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str, **_: Any) -> Response:
        services.delete_schedule(actor=self.actor, schedule_id=self.key(), expected_version=self.expected_version())
        return Response(status=204)


class ScheduleExceptionViewSet(ClinicViewSet):
    """Days on which a provider is away or works extra hours."""

    resource = "schedule"
    model = ScheduleException
    output = ScheduleExceptionOutput
    orderings = {"first_day": ("first_day",), "id": ()}
    default_ordering = "first_day"
    filters = (PROVIDER, SINCE, UNTIL)

    def queryset_for(self, actor: Actor) -> QuerySet[ScheduleException]:
        return ScheduleException.objects.select_related("provider", "location", "room")

    def filtered(self, queryset: QuerySet[ScheduleException]) -> QuerySet[ScheduleException]:
        queryset = by_references(self.request, queryset, "provider")
        return by_days(self.request, queryset, ends="last_day", begins="first_day")

    @extend_schema(responses=ScheduleExceptionOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request)

    @extend_schema(responses=ScheduleExceptionOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=ScheduleExceptionInput, responses={201: ScheduleExceptionOutput})
    def create(self, request: Request, **_: Any) -> Response:
        return self.one(services.create_exception(actor=self.actor, data=self.body(ScheduleExceptionInput)), status=201)

    @extend_schema(request=ScheduleExceptionInput(partial=True), responses=ScheduleExceptionOutput)
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        changes = self.body(ScheduleExceptionInput, partial=True)
        version = self.expected_version()
        return self.one(
            services.update_exception(actor=self.actor, exception_id=self.key(), changes=changes, expected_version=version)
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str, **_: Any) -> Response:
        services.delete_exception(actor=self.actor, exception_id=self.key(), expected_version=self.expected_version())
        return Response(status=204)


class HolidayViewSet(ClinicViewSet):
    """Days on which the clinic, or a location, is closed."""

    resource = "schedule"
    model = Holiday
    output = HolidayOutput
    orderings = {"day": ("day",), "id": ()}
    default_ordering = "day"
    filters = (LOCATION, SINCE, UNTIL)

    def queryset_for(self, actor: Actor) -> QuerySet[Holiday]:
        return Holiday.objects.select_related("location")

    def filtered(self, queryset: QuerySet[Holiday]) -> QuerySet[Holiday]:
        queryset = by_references(self.request, queryset, "location")
        return by_days(self.request, queryset, ends="day", begins="day")

    @extend_schema(responses=HolidayOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request)

    @extend_schema(responses=HolidayOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=HolidayInput, responses={201: HolidayOutput})
    def create(self, request: Request, **_: Any) -> Response:
        return self.one(services.create_holiday(actor=self.actor, data=self.body(HolidayInput)), status=201)

    @extend_schema(request=HolidayInput(partial=True), responses=HolidayOutput)
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        changes = self.body(HolidayInput, partial=True)
        version = self.expected_version()
        return self.one(services.update_holiday(actor=self.actor, holiday_id=self.key(), changes=changes, expected_version=version))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str, **_: Any) -> Response:
        services.delete_holiday(actor=self.actor, holiday_id=self.key(), expected_version=self.expected_version())
        return Response(status=204)


def by_references(request: Request, queryset: QuerySet[Any], *names: str) -> QuerySet[Any]:
    """Narrow by the parameters that name a record."""
    given = Parameters(request)
    wanted = {f"{name}_id": value for name in names if (value := given.uuid(name)) is not None}
    given.check()
    return queryset.filter(**wanted)


def by_days(request: Request, queryset: QuerySet[Any], *, ends: str, begins: str) -> QuerySet[Any]:
    """Narrow to what touches the days from `from` to `to`."""
    given = Parameters(request)
    since, until = given.day("from"), given.day("to")
    given.check()
    if since is not None:
        queryset = queryset.filter(**{f"{ends}__gte": since})
    return queryset if until is None else queryset.filter(**{f"{begins}__lte": until})
