"""The shapes of scheduling in the API: bodies in, bodies out.

References are ids on the way in and light objects (`id`, `name`; a patient also `mrn`) on the way out.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments import validators
from appointments.choices import ChangeKind, ExceptionKind, Source, Status, Tone, Weekday
from appointments.models import Appointment, Service, Ticket
from appointments.selectors import WorkingTime, as_sent
from appointments.services import booking_problems
from clinics.models import Room
from core.api.serializers import Flag, InputSerializer, Instant, MoneyInput, MoneySerializer, OutputSerializer, Text, WallTime
from core.errors import Detail
from core.validators import Problems, clean_fields


class NamedOutput(OutputSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class PatientBrief(OutputSerializer):
    reads = {"name": ("given_name", "family_name")}

    id = serializers.UUIDField()
    mrn = serializers.CharField()
    name = serializers.CharField(source="full_name")
    is_restricted = serializers.BooleanField()


class RuledInput(InputSerializer):
    """A body whose fields are judged by the rules of `appointments.validators`."""

    rules: ClassVar[Any]

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        found, rules = Problems(), self.rules()
        clean_fields({name: value for name, value in values.items() if name in rules}, rules, found)
        return found.details


# --- Services -----------------------------------------------------------------------------------------------------------
class ServiceInput(RuledInput):
    rules = staticmethod(validators.service_rules)

    name = Text(max_length=120)
    description = Text(max_length=300, required=False)
    duration_minutes = serializers.IntegerField(min_value=5, max_value=720)
    buffer_before_minutes = serializers.IntegerField(min_value=0, max_value=240, required=False)
    buffer_after_minutes = serializers.IntegerField(min_value=0, max_value=240, required=False)
    price = MoneyInput(required=False, help_text="In the clinic's currency.")
    tone = serializers.ChoiceField(choices=Tone.choices, required=False)
    room_kind = serializers.ChoiceField(choices=Room.Kind.choices, allow_blank=True, required=False, help_text="Empty: no room.")
    reminder_hours = serializers.IntegerField(min_value=0, max_value=336, required=False, help_text="Before the visit; 0: none.")
    second_reminder_hours = serializers.IntegerField(min_value=0, max_value=336, required=False, help_text="Likewise.")
    is_active = Flag(required=False)
    offered_by = serializers.ListField(child=serializers.UUIDField(), max_length=500, required=False, help_text="Providers' ids.")


class ServiceOutput(OutputSerializer):
    reads = {"price": ("price_amount",), "offered_by": ("offers",)}

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    duration_minutes = serializers.IntegerField()
    buffer_before_minutes = serializers.IntegerField()
    buffer_after_minutes = serializers.IntegerField()
    price = serializers.SerializerMethodField()
    tone = serializers.ChoiceField(choices=Tone.choices)
    room_kind = serializers.ChoiceField(choices=Room.Kind.choices, allow_blank=True)
    reminder_hours = serializers.IntegerField()
    second_reminder_hours = serializers.IntegerField()
    is_active = serializers.BooleanField()
    offered_by = serializers.SerializerMethodField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(MoneySerializer)
    def get_price(self, service: Service) -> dict[str, str]:
        return {"amount": f"{service.price_amount:.2f}", "currency": self.context["clinic"].currency}

    @extend_schema_field(NamedOutput(many=True))
    def get_offered_by(self, service: Service) -> list[dict[str, Any]]:
        providers = sorted((offer.provider for offer in service.offers.all()), key=lambda provider: provider.name)
        return [{"id": provider.id, "name": provider.name} for provider in providers]


# --- Hours --------------------------------------------------------------------------------------------------------------
class ScheduleInput(RuledInput):
    rules = staticmethod(validators.schedule_rules)

    provider = serializers.UUIDField()
    location = serializers.UUIDField()
    room = serializers.UUIDField(allow_null=True, required=False)
    weekday = serializers.ChoiceField(choices=Weekday.choices, help_text="0 is Monday.")
    start_time = WallTime(help_text="Wall-clock time of the location.")
    end_time = WallTime(help_text="At or before the start it means the next day.")
    slot_minutes = serializers.IntegerField(min_value=5, max_value=240, required=False)
    valid_from = serializers.DateField(allow_null=True, required=False)
    valid_until = serializers.DateField(allow_null=True, required=False, help_text="The last day.")


class ScheduleOutput(OutputSerializer):
    id = serializers.UUIDField()
    provider = NamedOutput()
    location = NamedOutput()
    room = NamedOutput(allow_null=True)
    weekday = serializers.ChoiceField(choices=Weekday.choices)
    start_time = serializers.TimeField(format="%H:%M")
    end_time = serializers.TimeField(format="%H:%M")
    slot_minutes = serializers.IntegerField()
    valid_from = serializers.DateField(allow_null=True)
    valid_until = serializers.DateField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ScheduleExceptionInput(RuledInput):
    rules = staticmethod(validators.exception_rules)

    provider = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ExceptionKind.choices)
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    start_time = WallTime(allow_null=True, required=False, help_text="Without times: the whole day (away only).")
    end_time = WallTime(allow_null=True, required=False)
    location = serializers.UUIDField(allow_null=True, required=False, help_text="Needed for extra hours.")
    room = serializers.UUIDField(allow_null=True, required=False)
    reason = Text(max_length=200, required=False)


class ScheduleExceptionOutput(OutputSerializer):
    id = serializers.UUIDField()
    provider = NamedOutput()
    kind = serializers.ChoiceField(choices=ExceptionKind.choices)
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    start_time = serializers.TimeField(format="%H:%M", allow_null=True)
    end_time = serializers.TimeField(format="%H:%M", allow_null=True)
    location = NamedOutput(allow_null=True)
    room = NamedOutput(allow_null=True)
    reason = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class HolidayInput(RuledInput):
    rules = staticmethod(validators.holiday_rules)

    day = serializers.DateField()
    name = Text(max_length=120)
    location = serializers.UUIDField(allow_null=True, required=False, help_text="Null: every location.")


class HolidayOutput(OutputSerializer):
    id = serializers.UUIDField()
    day = serializers.DateField()
    name = serializers.CharField()
    location = NamedOutput(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


# --- Free time ----------------------------------------------------------------------------------------------------------
class SlotOutput(OutputSerializer):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    provider = NamedOutput()
    location = NamedOutput()
    room = NamedOutput(allow_null=True)


class IntervalOutput(OutputSerializer):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class WorkingTimeOutput(OutputSerializer):
    day = serializers.DateField(help_text="The day to which the hours belong.")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    location = NamedOutput()
    room = NamedOutput(allow_null=True)
    free = serializers.SerializerMethodField()

    @extend_schema_field(IntervalOutput(many=True))
    def get_free(self, working: WorkingTime) -> list[dict[str, str]]:
        return [{"start": as_sent(start), "end": as_sent(end)} for start, end in working.free]


# --- Visits -------------------------------------------------------------------------------------------------------------
class AppointmentInput(InputSerializer):
    patient = serializers.UUIDField()
    service = serializers.UUIDField()
    provider = serializers.UUIDField()
    location = serializers.UUIDField(allow_null=True, required=False, help_text="Not needed where the provider works at one place.")
    room = serializers.UUIDField(allow_null=True, required=False, help_text="Chosen for you when left out.")
    start = Instant(help_text="With its offset from UTC.")
    notes = Text(max_length=validators.NOTES_LENGTH, required=False)
    source = serializers.ChoiceField(choices=Source.choices, default=Source.API)  # type: ignore[assignment]
    is_urgent = Flag(default=False)

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        """Beside fields of a wrong type the others are looked at too; a body of right types is the service's business."""
        expected = {name for name, field in self.fields.items() if field.required or name in self.initial_data}
        if expected <= values.keys() and self.initial_data.keys() <= self.fields.keys():
            return ()
        return booking_problems(actor=self.context["view"].actor, given=values)


class NotesInput(RuledInput):
    rules = staticmethod(validators.visit_rules)

    notes = Text(max_length=validators.NOTES_LENGTH)


class ReasonInput(RuledInput):
    rules = staticmethod(validators.visit_rules)

    reason = Text(max_length=validators.REASON_LENGTH, default="")


class RescheduleInput(ReasonInput):
    start = Instant(help_text="With its offset from UTC.")
    provider = serializers.UUIDField(allow_null=True, required=False)
    room = serializers.UUIDField(allow_null=True, required=False)


class AppointmentOutput(OutputSerializer):
    reads = {"notes": ("notes", "patient__is_restricted")}

    id = serializers.UUIDField()
    patient = PatientBrief()
    service = NamedOutput()
    provider = NamedOutput()
    location = NamedOutput()
    room = NamedOutput(allow_null=True)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    time_zone = serializers.CharField(help_text="The location's, when the visit was booked.")
    status = serializers.ChoiceField(choices=Status.choices)
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    is_urgent = serializers.BooleanField()
    notes = serializers.CharField(source="shown_notes", help_text="Empty also when the patient's record is not open to you.")
    checked_in_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TicketBrief(OutputSerializer):
    id = serializers.UUIDField()
    token = serializers.CharField(help_text="What the patient holds and the board shows.")


class CheckedInOutput(AppointmentOutput):
    """A visit whose patient has just come."""

    reads = {**AppointmentOutput.reads, "ticket": ()}  # the context has it

    ticket = serializers.SerializerMethodField(
        help_text="Null where nobody waits by tickets, and when all of the day are given out."
    )

    @extend_schema_field(TicketBrief(allow_null=True))
    def get_ticket(self, visit: Appointment) -> dict[str, str] | None:
        ticket: Ticket | None = self.context.get("ticket")
        return {"id": str(ticket.pk), "token": ticket.token} if ticket else None


class AppointmentChangeOutput(OutputSerializer):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=ChangeKind.choices)
    actor = serializers.CharField(source="actor_name", help_text="Who did it.")
    from_status = serializers.ChoiceField(choices=Status.choices, allow_blank=True)
    to_status = serializers.ChoiceField(choices=Status.choices)
    from_start = serializers.DateTimeField(allow_null=True)
    to_start = serializers.DateTimeField(allow_null=True)
    from_provider = NamedOutput(allow_null=True)
    to_provider = NamedOutput(allow_null=True)
    reason = serializers.CharField()
