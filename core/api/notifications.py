"""One's own notifications through the API: what the bell tells, and that it was read."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.actor import Actor
from core.api.answers import Answer
from core.api.filters import query
from core.api.pagination import bad_parameter
from core.api.serializers import InputSerializer, NothingInput, OutputSerializer
from core.api.views import ClinicViewSet
from core.notifications import services
from core.notifications.kinds import told
from core.notifications.models import Notification
from core.requests import underlying


class NotificationOutput(OutputSerializer):
    """Something that happened. `kind` and `details` are codes and ids; `text` says it in the language of the request."""

    reads = {"text": ("kind", "details"), "page": ("kind", "about_id")}

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="Such as record_opened.")
    about = serializers.UUIDField(source="about_id", allow_null=True, help_text="The record that it is about, by its id.")
    details = serializers.DictField(help_text="Ids, numbers, codes and dates.")
    text = serializers.SerializerMethodField()
    page = serializers.SerializerMethodField(help_text="The address of the page about it; empty when there is none for you.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def get_text(self, row: Notification) -> str:
        return told(row, self.context["actor"]).words

    def get_page(self, row: Notification) -> str:
        return told(row, self.context["actor"]).address


class ReadAllInput(InputSerializer):
    until = serializers.UUIDField(required=False, help_text="The newest that you have seen; without it, all.")


class CountOutput(OutputSerializer):
    count = serializers.IntegerField()


class NotificationsView(ClinicViewSet):
    """What you were told in this clinic; nobody else sees it."""

    resource = None
    model = Notification
    output = NotificationOutput
    kept = None  # read marks change all the time
    action_outputs = {"read_all": CountOutput, "unread_count": CountOutput}
    orderings = {"id": ()}
    default_ordering = "-id"
    filters: ClassVar[tuple[OpenApiParameter, ...]] = (query("unread", OpenApiTypes.BOOL, "Only the unread, or the others."),)

    def queryset_for(self, actor: Actor) -> QuerySet[Notification]:
        return services.own_notifications(actor)

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.request.query_params.get("unread")
        if wanted is None:
            return queryset
        if wanted not in ("true", "false"):
            raise bad_parameter("unread", "unread is true or false.")
        return queryset.filter(read_at__isnull=wanted == "true")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "actor": underlying(self.request).actor}

    @extend_schema(request=NothingInput, responses=NotificationOutput)
    @action(methods=["post"], detail=True)
    def read(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """You have read it. When for the first time, stays."""
        self.body(NothingInput)
        return self.one(services.mark_read(actor=self.actor, notification_id=self.key()))

    @extend_schema(request=ReadAllInput, responses=CountOutput, filters=False)
    @action(methods=["post"], detail=False, url_path="read-all", pagination_class=None)
    def read_all(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """You have read all, or those up to one; `count` of them were unread."""
        return self._counted(services.mark_all_read(actor=self.actor, until=self.body(ReadAllInput).get("until")))

    @extend_schema(responses=CountOutput, filters=False)
    @action(methods=["get"], detail=False, url_path="unread-count", pagination_class=None)
    def unread_count(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """How many you have not read."""
        return self._counted(services.unread_count(self.actor))

    def _counted(self, count: int) -> Response:
        return self._sent(Answer.of({"count": count}))
