"""Visits through the API: book, look, take a step, move, and read the history."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.api.parameters import LOCATION, PROVIDER, Parameters
from appointments.api.serializers import (
    AppointmentChangeOutput,
    AppointmentInput,
    AppointmentOutput,
    CheckedInOutput,
    NotesInput,
    ReasonInput,
    RescheduleInput,
)
from appointments.choices import Status
from appointments.models import Appointment, AppointmentChange
from appointments.policies import visible_appointments
from appointments.selectors import history_of
from appointments.selectors.queue_places import queue_place
from appointments.services import book_appointment, change_notes, change_status, reschedule_appointment, undo_last_change
from appointments.services.tickets import open_ticket_of
from core.accounts.actor import Actor
from core.api.answers import Answer
from core.api.filters import one_or_more, query
from core.api.serializers import NothingInput
from core.api.views import ClinicViewSet
from core.cache import TTL
from patients.models import PatientAccount

DAY_OR_TIME = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
FILTERS = (
    PROVIDER,
    LOCATION,
    query("patient", OpenApiTypes.UUID, "Only this patient's."),
    query("status", one_or_more(Status.values), "One status, or several separated by commas."),
    query("from", DAY_OR_TIME, "From this local day, or from this time (with its offset)."),
    query("to", DAY_OR_TIME, "Until this local day, included, or until before this time."),
)
STEP: dict[str, Any] = {"request": ReasonInput, "responses": AppointmentOutput}


class AppointmentViewSet(ClinicViewSet):
    """The clinic's visits."""

    resource = "appointment"
    model = Appointment
    output = AppointmentOutput
    also_reads = (PatientAccount,)
    kept = TTL.APPOINTMENT
    orderings = {"start": ("start",), "updated_at": ("updated_at",)}
    default_ordering = "start"
    filters = FILTERS
    matrix_actions = {"partial_update": "create"}
    action_outputs = {"check_in": CheckedInOutput}

    def queryset_for(self, actor: Actor) -> QuerySet[Appointment]:
        return visible_appointments(actor).for_list()

    def filtered(self, queryset: QuerySet[Appointment]) -> QuerySet[Appointment]:
        given = Parameters(self.request)
        for name in ("provider", "patient", "location"):
            if (wanted := given.uuid(name)) is not None:
                queryset = queryset.filter(**{f"{name}_id": wanted})
        if statuses := given.statuses("status"):
            queryset = queryset.filter(status__in=statuses)
        since, until = given.moment("from"), given.moment("to")
        given.check()
        if since is not None:
            queryset = queryset.filter(**{"start__gte" if isinstance(since, datetime) else "local_day__gte": since})
        if until is not None:
            queryset = queryset.filter(**{"start__lt" if isinstance(until, datetime) else "local_day__lte": until})
        return queryset

    @extend_schema(responses=AppointmentOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Visits, by start unless ordered otherwise."""
        return super().list(request)

    @extend_schema(responses=AppointmentOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=AppointmentInput, responses={201: AppointmentOutput})
    def create(self, request: Request, **_: Any) -> Response:
        """Book a visit. 409 when the time is taken or outside the provider's hours, with `error.alternatives`."""
        body = self.body(AppointmentInput)
        references = {f"{name}_id": body.pop(name) for name in ("patient", "service", "provider")}
        places = {f"{name}_id": body.pop(name, None) for name in ("location", "room")}
        return self.one(book_appointment(actor=self.actor, **references, **places, **body), status=201)

    @extend_schema(request=NotesInput, responses=AppointmentOutput)
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        """Replace the notes. Time, provider and room change by `reschedule`, the status by its own steps."""
        notes = self.body(NotesInput)["notes"]
        return self.one(
            change_notes(actor=self.actor, appointment_id=self.key(), notes=notes, expected_version=self.expected_version())
        )

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def confirm(self, request: Request, pk: str, **_: Any) -> Response:
        """requested -> confirmed"""
        return self._step("confirm")

    @extend_schema(request=ReasonInput, responses=CheckedInOutput)
    @action(methods=["POST"], detail=True, url_path="check-in")
    def check_in(self, request: Request, pk: str, **_: Any) -> Response:
        """requested or confirmed -> checked_in; `ticket` says which one the patient waits with, where they wait by tickets"""
        visit = self._stepped("check_in")
        ticket = open_ticket_of(visit.pk) if queue_place(visit.location_id) else None
        (data,) = CheckedInOutput.shown([visit], {**self.get_serializer_context(), "ticket": ticket})
        return self._sent(Answer.of(data, version=visit.version), 200)

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def start(self, request: Request, pk: str, **_: Any) -> Response:
        """checked_in -> in_progress"""
        return self._step("start")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def complete(self, request: Request, pk: str, **_: Any) -> Response:
        """in_progress -> completed"""
        return self._step("complete")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True)
    def cancel(self, request: Request, pk: str, **_: Any) -> Response:
        """requested, confirmed or checked_in -> cancelled; its time is free again"""
        return self._step("cancel")

    @extend_schema(**STEP)
    @action(methods=["POST"], detail=True, url_path="no-show")
    def no_show(self, request: Request, pk: str, **_: Any) -> Response:
        """requested or confirmed -> no_show; its time is free again"""
        return self._step("no_show")

    @extend_schema(request=NothingInput, responses=AppointmentOutput)
    @action(methods=["POST"], detail=True)
    def undo(self, request: Request, pk: str, **_: Any) -> Response:
        """Take the last step back: of checked_in, in_progress, completed and no_show."""
        self.body(NothingInput)
        return self.one(undo_last_change(actor=self.actor, appointment_id=self.key(), expected_version=self.expected_version()))

    @extend_schema(request=RescheduleInput, responses=AppointmentOutput)
    @action(methods=["POST"], detail=True)
    def reschedule(self, request: Request, pk: str, **_: Any) -> Response:
        """Another time, provider or room; the visit keeps its id. 409 as for booking."""
        body = self.body(RescheduleInput)
        moved = reschedule_appointment(
            actor=self.actor,
            appointment_id=self.key(),
            start=body["start"],
            provider_id=body.get("provider"),
            room_id=body.get("room"),
            reason=body["reason"],
            expected_version=self.expected_version(),
        )
        return self.one(moved)

    def _step(self, name: str) -> Response:
        return self.one(self._stepped(name))

    def _stepped(self, name: str) -> Appointment:
        reason = self.body(ReasonInput)["reason"]
        return change_status(
            actor=self.actor, appointment_id=self.key(), action=name, reason=reason, expected_version=self.expected_version()
        )


class AppointmentHistoryViewSet(ClinicViewSet):
    """What happened to a visit."""

    resource = "appointment"
    model = Appointment
    output = AppointmentChangeOutput
    matrix_actions = {"list": "history"}
    pagination_class = None

    def queryset_for(self, actor: Actor) -> QuerySet[Any]:
        return visible_appointments(actor).select_related("patient")

    @extend_schema(responses=AppointmentChangeOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The visit's changes, oldest first."""
        visit = self.row()
        changes: list[AppointmentChange] = history_of(visit)
        for change in changes:
            change.appointment = visit
        return self.many(changes)
