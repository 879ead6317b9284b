"""The queue through the API: who waits, a ticket for a walk-in, call the next, and the steps of a ticket."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.api.parameters import LOCATION, PROVIDER, Parameters
from appointments.api.serializers import NamedOutput, PatientBrief
from appointments.choices import Priority, TicketSource, TicketStatus
from appointments.models import Ticket
from appointments.policies import visible_tickets
from appointments.services import call_next, step_ticket, take_ticket, transfer_ticket
from core.accounts.actor import Actor
from core.api.filters import one_or_more, query
from core.api.serializers import InputSerializer, NothingInput, OutputSerializer
from core.api.views import ClinicViewSet
from core.cache import TTL
from patients.models import PatientAccount

PRIORITIES = {one.name.lower(): one for one in Priority}


class TicketInput(InputSerializer):
    location = serializers.UUIDField()
    series = serializers.UUIDField(allow_null=True, required=False, help_text="Left out: the service's, or else the first.")
    service = serializers.UUIDField(allow_null=True, required=False)
    patient = serializers.UUIDField(allow_null=True, required=False, help_text="Null: nobody whom the clinic knows.")
    provider = serializers.UUIDField(allow_null=True, required=False, help_text="Null: whoever calls next.")
    priority = serializers.ChoiceField(
        choices=list(PRIORITIES), required=False, help_text="At least this. The rule gives emergencies, age and punctuality theirs."
    )


class CallNextInput(InputSerializer):
    location = serializers.UUIDField()
    provider = serializers.UUIDField(allow_null=True, required=False, help_text="Who calls.")
    room = serializers.UUIDField(allow_null=True, required=False, help_text="Whereto.")


class TransferInput(InputSerializer):
    series = serializers.UUIDField(allow_null=True, required=False)
    provider = serializers.UUIDField(allow_null=True, required=False)
    room = serializers.UUIDField(allow_null=True, required=False)


class SeriesBrief(OutputSerializer):
    id = serializers.UUIDField()
    letter = serializers.CharField()
    name = serializers.CharField()


class TicketOutput(OutputSerializer):
    reads = {"token": ("letter", "number"), "priority": ("priority",)}

    id = serializers.UUIDField()
    token = serializers.CharField(help_text="What the patient holds and the board shows.")
    day = serializers.DateField(help_text="In the location's time zone.")
    location = NamedOutput()
    series = SeriesBrief()
    source = serializers.ChoiceField(choices=TicketSource.choices)  # type: ignore[assignment]
    service = NamedOutput(allow_null=True)
    patient = PatientBrief(allow_null=True)
    appointment = serializers.UUIDField(source="appointment_id", allow_null=True)
    provider = NamedOutput(allow_null=True)
    room = NamedOutput(allow_null=True)
    priority = serializers.SerializerMethodField()
    status = serializers.ChoiceField(choices=TicketStatus.choices)
    calls = serializers.IntegerField(help_text="How often the token was called.")
    taken_at = serializers.DateTimeField()
    queued_at = serializers.DateTimeField(help_text="Counts as waiting since.")
    called_at = serializers.DateTimeField(allow_null=True, help_text="The first call.")
    serving_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    expected_minutes = serializers.IntegerField(allow_null=True, help_text="The wait that was told when it was taken.")
    expected_least = serializers.IntegerField(allow_null=True)
    expected_most = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=list(PRIORITIES)))
    def get_priority(self, ticket: Ticket) -> str:
        return Priority(ticket.priority).name.lower()


STEP: dict[str, Any] = {"request": NothingInput, "responses": TicketOutput}


class TicketViewSet(ClinicViewSet):
    """Who waits by tickets."""

    resource = "queue"
    model = Ticket
    output = TicketOutput
    also_reads = (PatientAccount,)
    kept = TTL.APPOINTMENT
    orderings = {"taken_at": ("taken_at",), "updated_at": ("updated_at",)}
    default_ordering = "taken_at"
    filters = (
        LOCATION,
        PROVIDER,
        query("status", one_or_more(TicketStatus.values), "One status, or several separated by commas."),
        query("day", OpenApiTypes.DATE, "Only of this local day."),
        query("appointment", OpenApiTypes.UUID, "Only this visit's."),
        query("patient", OpenApiTypes.UUID, "Only this patient's."),
    )
    matrix_actions = {"call_next": "call"}

    def queryset_for(self, actor: Actor) -> QuerySet[Ticket]:
        return visible_tickets(actor).for_list()

    def filtered(self, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        given = Parameters(self.request)
        wanted = {f"{name}_id": given.uuid(name) for name in ("location", "provider", "appointment", "patient")}
        day, statuses = given.day("day"), given.words("status", TicketStatus.values)
        given.check()
        queryset = queryset.filter(**{name: value for name, value in wanted.items() if value is not None})
        if day is not None:
            queryset = queryset.filter(day=day)
        return queryset.filter(status__in=statuses) if statuses else queryset

    @extend_schema(responses=TicketOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Tickets, in the order in which they were taken unless ordered otherwise."""
        return super().list(request)

    @extend_schema(responses=TicketOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=TicketInput, responses={201: TicketOutput})
    def create(self, request: Request, **_: Any) -> Response:
        """A ticket for a walk-in. Whoever has a visit gets theirs when the visit is checked in."""
        body = self.body(TicketInput)
        priority = PRIORITIES.get(body.pop("priority", ""))
        ticket = take_ticket(actor=self.actor, priority=priority, **{f"{name}_id": value for name, value in body.items()})
        return self.one(self.queryset_for(self.actor).get(pk=ticket.pk), status=201)

    @extend_schema(request=CallNextInput, responses=TicketOutput)
    @action(methods=["POST"], detail=False, url_path="call-next")
    def call_next(self, request: Request, **_: Any) -> Response:
        """Call who is first of those whom this provider, or this room, may call. 409 when nobody waits for them."""
        body = self.body(CallNextInput)
        return self.one(call_next(actor=self.actor, **{f"{name}_id": value for name, value in body.items()}))

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def call(self, request: Request, pk: str, **_: Any) -> Response:
        """waiting or transferred -> called, out of turn"""
        return self._step("call")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def recall(self, request: Request, pk: str, **_: Any) -> Response:
        """called or skipped -> called, once more"""
        return self._step("recall")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def serve(self, request: Request, pk: str, **_: Any) -> Response:
        """waiting, transferred, called or skipped -> serving; the visit, if there is one, begins"""
        return self._step("serve")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def skip(self, request: Request, pk: str, **_: Any) -> Response:
        """waiting, transferred or called -> skipped: did not come when called"""
        return self._step("skip")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True, url_path="put-back")
    def put_back(self, request: Request, pk: str, **_: Any) -> Response:
        """called, serving, skipped, or left without a visit -> waiting, in the old place"""
        return self._step("put_back")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def finish(self, request: Request, pk: str, **_: Any) -> Response:
        """called or serving -> finished; so does the visit"""
        return self._step("finish")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def leave(self, request: Request, pk: str, **_: Any) -> Response:
        """waiting, transferred, called or skipped -> left; a visit that has not begun is cancelled"""
        return self._step("leave")

    @extend_schema(request=TransferInput, responses=TicketOutput)
    @action(methods=["POST"], detail=True)
    def transfer(self, request: Request, pk: str, **_: Any) -> Response:
        """-> transferred: waits for another group, provider or room, under the same token. At least one is named."""
        body = {f"{name}_id": value for name, value in self.body(TransferInput).items()}
        return self.one(transfer_ticket(actor=self.actor, ticket_id=self.key(), expected_version=self.expected_version(), **body))

    def _step(self, name: str) -> Response:
        self.body(NothingInput)
        return self.one(step_ticket(actor=self.actor, ticket_id=self.key(), action=name, expected_version=self.expected_version()))
