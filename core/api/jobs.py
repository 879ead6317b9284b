"""The clinic's jobs for machines: list, one, cancel, try again, and how the queues stand."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.actor import Actor
from core.api.filters import choice_filter, one_or_more, query, text_parameter
from core.api.serializers import OutputSerializer
from core.api.views import ClinicViewSet
from core.jobs import services
from core.jobs.models import Job, State
from core.jobs.queues import QUEUES, WorkerClass
from core.jobs.statistics import queue_statistics


class JobOutput(OutputSerializer):
    """A job. What it is about stands in `payload` by ids."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="Such as reports.daily.")
    queue = serializers.CharField()
    priority = serializers.IntegerField(help_text="0 is first, 9 last.")
    status = serializers.ChoiceField(source="state", choices=State.choices)
    clinic = serializers.UUIDField(source="in_clinic", allow_null=True)
    payload = serializers.JSONField()
    progress = serializers.IntegerField(help_text="Percent.")
    sentence = serializers.CharField(allow_blank=True, help_text="How far it is, in words.")
    cause = serializers.CharField(allow_blank=True, help_text="Why the last attempt failed.")
    attempts = serializers.IntegerField()
    attempts_allowed = serializers.IntegerField()
    after = serializers.ListField(child=serializers.UUIDField(), help_text="Jobs that must have succeeded before.")
    requested_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    run_at = serializers.DateTimeField(help_text="When it is due.")
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class QueueOutput(OutputSerializer):
    """How a queue stands: now, and of the jobs that ended within the last hour. Seconds; null where none ended."""

    queue = serializers.CharField()
    workers = serializers.ChoiceField(choices=[one.value for one in WorkerClass])
    waiting = serializers.IntegerField(help_text="Due, and not begun.")
    later = serializers.IntegerField(help_text="Not due yet.")
    running = serializers.IntegerField()
    dead_letters = serializers.IntegerField()
    oldest_s = serializers.FloatField(help_text="How long the first of those that are due has been waiting.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    per_minute = serializers.FloatField(help_text="Succeeded, in a minute.")
    failure_rate = serializers.FloatField(help_text="0 to 1.")
    wait_p50_s = serializers.FloatField(allow_null=True)
    wait_p95_s = serializers.FloatField(allow_null=True)
    run_p50_s = serializers.FloatField(allow_null=True)
    run_p95_s = serializers.FloatField(allow_null=True)


class JobsView(ClinicViewSet):
    """What HMS does later, or by itself, for the clinic."""

    resource = "job"
    model = Job
    kept = None  # workers change them all the time
    output = JobOutput
    orderings = {"id": ()}
    default_ordering = "-id"
    matrix_actions: ClassVar[dict[str, str]] = {"stats": "view"}
    action_outputs = {"stats": QueueOutput}
    filters: ClassVar[tuple[OpenApiParameter, ...]] = (
        query("status", one_or_more(State.values), "In one of these states."),
        query("queue", one_or_more(QUEUES), "In one of these queues."),
        query("kind", OpenApiTypes.STR, "Only this kind."),
    )

    def queryset_for(self, actor: Actor) -> QuerySet[Job]:
        return services.visible_jobs(actor)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = choice_filter(queryset, self.request, "status", State.values, column="state")
        queryset = choice_filter(queryset, self.request, "queue", QUEUES)
        kind = text_parameter(self.request, "kind", max_length=60)
        return queryset if kind is None else queryset.filter(kind=kind)

    @extend_schema(request=None, responses=JobOutput)
    @action(methods=["post"], detail=True)
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """It is not done. One that runs can save nothing any more. 409 when it is over."""
        return self.one(services.cancel(actor=self.actor, job_id=self.key()))

    @extend_schema(request=None, responses=JobOutput)
    @action(methods=["post"], detail=True)
    def retry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Try it again, with all its attempts. 409 unless it has failed or was cancelled."""
        return self.one(services.requeue(actor=self.actor, job_id=self.key()))

    @extend_schema(responses=QueueOutput(many=True), filters=False)
    @action(methods=["get"], detail=False, pagination_class=None)
    def stats(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """How the queues stand, of the clinic's jobs."""
        return self.many(queue_statistics(self.clinic.pk), serializer=QueueOutput)
