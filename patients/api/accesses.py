"""Who has looked at a patient, for machines."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.roles import Role
from core.api.filters import instant_parameter, query
from core.api.pagination import MAX_ROWS, KeysetPagination
from core.api.serializers import OutputSerializer
from core.api.views import ClinicViewSet
from core.audit.subjects import Reading, shown
from core.errors import NotFound
from patients.models import Patient
from patients.policies import visible_patients
from patients.selectors import accesses_of


class AccessOutput(OutputSerializer):
    """One request that showed the patient."""

    at = serializers.DateTimeField()
    user_id = serializers.UUIDField(allow_null=True)
    person = serializers.CharField(help_text="Empty for somebody whose account is gone.")
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), help_text="Those they have here now.")
    reading = serializers.ChoiceField(choices=[one.value for one in Reading])
    route = serializers.CharField(help_text="The route's name.")
    method = serializers.CharField()
    status = serializers.IntegerField()
    address = serializers.CharField(help_text="Empty for the patient's own account.")
    request_id = serializers.CharField(help_text="As in `X-Request-ID`; empty for the patient's own account.")
    why = serializers.CharField()


class AccessLogView(ClinicViewSet):
    """Who has looked at the patient, newest first. Never cached."""

    resource = "access_log"
    model = Patient
    output = AccessOutput
    pagination_class = None
    kept = None
    filters = (
        query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 25}, "Rows at most."),
        query("before", OpenApiTypes.DATETIME, "Before this instant: the last row's `at`, to read on."),
    )

    @extend_schema(responses=AccessOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The accesses to one patient's data."""
        limit, before = KeysetPagination.rows(request), instant_parameter(request, "before")
        patient = visible_patients(self.actor).only("id", "clinic_id").found(pk=self._id())
        shown([patient.pk])
        return self.many(accesses_of(actor=self.actor, patient_id=patient.pk, limit=limit, before=before))

    def _id(self) -> UUID:
        try:
            return UUID(str(self.kwargs["id"]))
        except ValueError as error:
            raise NotFound("There is no such record.") from error
