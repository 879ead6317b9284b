"""What goes in and out of the API about clinics."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rest_framework import serializers

from clinics import validators
from clinics.models import Provider, Room
from core.accounts.models import Membership
from core.accounts.roles import Role
from core.api.serializers import Flag, InputSerializer, OutputSerializer, Text
from core.errors import Detail
from core.tenancy.models import Clinic
from core.validators import Problems, clean_fields

OWN_TIME_ZONE = "IANA name, such as Europe/London. Empty: the clinic's."


class RecordOutput(OutputSerializer):
    """What every record of a clinic carries."""

    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Counts changes; goes into the ETag, for If-Match.")


class ClinicOutput(OutputSerializer):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    time_zone = serializers.CharField(help_text="IANA name, such as Europe/London.")
    locale = serializers.CharField()
    country = serializers.CharField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(choices=Clinic.State.choices)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class LocationOutput(RecordOutput):
    id = serializers.UUIDField()
    name = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    phone = serializers.CharField(allow_blank=True, help_text="E.164.")
    time_zone = serializers.CharField(allow_blank=True, help_text=OWN_TIME_ZONE)
    is_active = serializers.BooleanField()


class DepartmentOutput(RecordOutput):
    id = serializers.UUIDField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()


class RoomOutput(RecordOutput):
    id = serializers.UUIDField()
    location = serializers.UUIDField(source="location_id")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Room.Kind.choices)
    is_active = serializers.BooleanField()


class ProviderOutput(RecordOutput):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Provider.Kind.choices)
    department = serializers.UUIDField(source="department_id", allow_null=True)
    user = serializers.UUIDField(source="user_id", allow_null=True)
    is_active = serializers.BooleanField()


class StaffOutput(OutputSerializer):
    """Somebody who works in the clinic."""

    id = serializers.UUIDField(help_text="Of the membership.")
    user = serializers.UUIDField(source="user_id")
    full_name = serializers.CharField(source="user.full_name")
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))
    locations = serializers.ListField(source="location_ids", child=serializers.UUIDField(), help_text="Empty: every location.")
    department = serializers.UUIDField(source="department_id", allow_null=True)


class MembershipOutput(StaffOutput):
    email = serializers.EmailField(source="user.email")
    state = serializers.ChoiceField(choices=Membership.State.choices)
    created_at = serializers.DateTimeField()


class ClinicPartInput(InputSerializer):
    """A body whose fields are judged by the rules of `clinics.validators`."""

    rules: ClassVar[Any]

    def problems(self, values: dict[str, Any]) -> Iterable[Detail]:
        found = Problems()
        rules = self.rules(self.context["clinic"].country)
        clean_fields({name: value for name, value in values.items() if name in rules}, rules, found)
        return found.details


class LocationInput(ClinicPartInput):
    rules = staticmethod(validators.location_rules)

    name = Text(max_length=120)
    address = Text(max_length=300, required=False)
    phone = Text(max_length=40, required=False, help_text="As people write it; kept as E.164.")
    time_zone = Text(max_length=63, required=False, help_text=OWN_TIME_ZONE)
    is_active = Flag(required=False)


class DepartmentInput(ClinicPartInput):
    rules = staticmethod(validators.department_rules)

    name = Text(max_length=120)
    is_active = Flag(required=False)


class RoomInput(ClinicPartInput):
    rules = staticmethod(validators.room_rules)

    location = serializers.UUIDField()
    name = Text(max_length=60)
    kind = serializers.ChoiceField(choices=Room.Kind.choices, required=False)
    is_active = Flag(required=False)


class ProviderInput(ClinicPartInput):
    rules = staticmethod(validators.provider_rules)

    name = Text(max_length=120)
    kind = serializers.ChoiceField(choices=Provider.Kind.choices, required=False)
    department = serializers.UUIDField(required=False, allow_null=True)
    user = serializers.UUIDField(required=False, allow_null=True, help_text="Somebody who works in this clinic.")
    is_active = Flag(required=False)
