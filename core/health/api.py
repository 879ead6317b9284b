"""How well HMS performs, in the API's form."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.answers import Answer
from core.api.serializers import OutputSerializer
from core.api.views import ClinicViewSet
from core.health.access import is_operator
from core.health.checks import Status, checks, look, status_of
from core.health.told import milliseconds, told
from core.requests import underlying


class PerformanceHealthOutput(OutputSerializer):
    """`checks`, by name: `status`; for operators also `response_time` in milliseconds, `usage_percent` and other figures, and a
    note on what is wrong."""

    status = serializers.ChoiceField(choices=[one.value for one in Status])
    timestamp = serializers.DateTimeField()
    response_time = serializers.FloatField(help_text="Milliseconds that the looking took.")
    checks = serializers.DictField(
        child=serializers.DictField(), help_text="Such as `database`, `memory`, `disk`; details for operators alone."
    )


class PerformanceHealthView(ClinicViewSet):
    """The state of HMS and of what it depends on."""

    resource = None
    clinic_optional = True
    output = PerformanceHealthOutput
    permission_classes = [AllowAny]
    pagination_class = None

    @extend_schema(operation_id="performance_health_retrieve", responses=PerformanceHealthOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Status of each check. Anybody may ask; figures and notes are for operators. No query of the request's own."""
        began = time.perf_counter()
        findings = look(checks())
        operator = is_operator(underlying(request))
        return self.one(
            {
                "status": status_of(findings).value,
                "timestamp": datetime.now(UTC),
                "response_time": milliseconds(time.perf_counter() - began),
                "checks": {one.name: told(one) if operator else {"status": one.status.value} for one in findings},
            }
        )

    def _record(self, row: Any) -> Answer:
        """To whom statuses alone are told, the answer is another one when a status is: not each time it is asked for."""
        answer = super()._record(row)
        if is_operator(underlying(self.request)):
            return answer
        return replace(answer, etag=Answer.of([row["status"], row["checks"], self.request.query_params.get("fields")]).etag)
