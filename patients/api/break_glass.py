"""Emergency access to restricted records, for machines: open, end, list, judge."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.actor import Actor
from core.api.filters import joined, one_or_more, query, uuid_filter
from core.api.pagination import bad_parameter
from core.api.serializers import InputSerializer, OutputSerializer, Text
from core.api.views import ClinicViewSet
from core.audit.break_glass import LONGEST_REASON, SHORTEST_REASON, BreakGlass, Category, Verdict, access_rules, verdict_rules
from core.errors import Detail, NotFound
from core.validators import Problems, clean_fields
from patients import services
from patients.policies import visible_patients
from patients.selectors.break_glass import visible_accesses

NONE = "none"


class BreakGlassInput(InputSerializer):
    category = serializers.ChoiceField(choices=Category.choices)
    reason = Text(max_length=LONGEST_REASON, min_length=SHORTEST_REASON, help_text="Kept as sent. Who reviews the access reads it.")

    def problems(self, values: dict[str, Any]) -> Any:
        found = Problems()
        clean_fields(values, access_rules(), found)
        return found.details


class BreakGlassOpened(OutputSerializer):
    """The access; `patients/{id}` and all below it answer until `expires_at`."""

    id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()


class BreakGlassOutput(OutputSerializer):
    """One person's emergency access to one restricted record (FHIR purpose of use BTG)."""

    id = serializers.UUIDField()
    patient = serializers.UUIDField(source="patient_id")
    user = serializers.UUIDField(source="user_id")
    category = serializers.ChoiceField(choices=Category.choices)
    reason = serializers.CharField()
    opened_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it was ended before its time.")
    verdict = serializers.ChoiceField(choices=Verdict.choices, allow_blank=True, help_text="Empty: none yet.")
    review_note = serializers.CharField()
    reviewed_by = serializers.UUIDField(source="reviewed_by_id", allow_null=True)
    reviewed_at = serializers.DateTimeField(allow_null=True)


class VerdictInput(InputSerializer):
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    note = Text(max_length=LONGEST_REASON, required=False, help_text="Needed for `not-justified`.")

    def problems(self, values: dict[str, Any]) -> Any:
        found = Problems()
        clean_fields(values, verdict_rules(), found)
        if values.get("verdict") == Verdict.NOT_JUSTIFIED and not values.get("note", "").strip():
            found.details.append(Detail("note", "required", "Say why it was not justified."))
        return found.details


class PatientBreakGlassView(ClinicViewSet):
    """One's own emergency access to one patient's record."""

    resource = "break_glass"
    model = BreakGlass
    output = BreakGlassOpened
    kept = None
    matrix_actions = {"destroy": "create"}
    lookup_field = "none"

    @extend_schema(request=BreakGlassInput, responses={201: BreakGlassOpened})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Open a restricted record in an emergency. Who has it open already gets that access again. 409 if it needs no opening."""
        patient_id = self._patient_id()
        visible_patients(self.actor).only("id", "clinic_id", "is_restricted").found(pk=patient_id)
        return self.one(services.break_glass(actor=self.actor, patient_id=patient_id, **self.body(BreakGlassInput)), status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End one's own access before its time."""
        services.end_access(actor=self.actor, patient_id=self._patient_id())
        return Response(status=204)

    def _patient_id(self) -> UUID:
        try:
            return UUID(str(self.kwargs["id"]))
        except ValueError as error:
            raise NotFound("There is no such record.") from error


class BreakGlassView(ClinicViewSet):
    """The emergency accesses of the clinic, for those who review them. Never cached."""

    resource = "break_glass"
    model = BreakGlass
    output = BreakGlassOutput
    kept = None
    orderings = {"opened": ("opened_at",)}
    default_ordering = "opened"
    filters = (
        query("verdict", one_or_more([NONE, *Verdict.values]), "One or more, separated by commas; `none`: not judged yet."),
        query("patient", OpenApiTypes.UUID, "Only this patient's."),
        query("user", OpenApiTypes.UUID, "Only this person's."),
    )
    matrix_actions = {"verdict": "review"}

    def queryset_for(self, actor: Actor) -> QuerySet[Any]:
        return visible_accesses(actor)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = uuid_filter(uuid_filter(queryset, self.request, "patient"), self.request, "user")
        if (text := joined(self.request, "verdict")) is None:
            return queryset
        wanted = text.split(",")
        if not set(wanted) <= {NONE, *Verdict.values}:
            raise bad_parameter("verdict", f"verdict is one or more of {NONE}, {', '.join(Verdict.values)}.")
        return queryset.filter(verdict__in=["" if one == NONE else one for one in wanted])

    @extend_schema(request=VerdictInput, responses=BreakGlassOutput)
    @action(detail=True, methods=["post"])
    def verdict(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say what is thought of an access that is over. Once; never of one's own."""
        key = self.key()
        return self.one(services.judge_access(actor=self.actor, access_id=key, **self.body(VerdictInput)))
