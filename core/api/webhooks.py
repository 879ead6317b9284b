"""Webhooks through the API: set up, look at what was delivered, send it again."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.actor import Actor
from core.accounts.proofs import recently_proved
from core.api.answers import Answer
from core.api.filters import choice_filter, one_or_more, query, uuid_filter
from core.api.serializers import Flag, InputSerializer, Instant, NothingInput, OutputSerializer, Text
from core.api.views import ClinicViewSet
from core.errors import Detail, NotAllowed
from core.requests import underlying
from core.security.limiting.classes import RouteClass
from core.webhooks import services
from core.webhooks.models import WebhookDelivery, WebhookEndpoint


class WebhookInput(InputSerializer):
    name = Text(max_length=80)
    url = Text(max_length=500, help_text="https:// and an address of the open internet.")
    events = serializers.ListField(child=Text(max_length=60), max_length=100, help_text="Names from the catalogue of events.")


class WebhookChange(WebhookInput):
    is_active = Flag(help_text="Switched on again, it is told what happens from then on.")


class WebhookOutput(OutputSerializer):
    """An address that is told of events. `disabled_at` says when HMS switched it off, after days without one success."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_why = serializers.CharField(allow_blank=True)
    failures = serializers.IntegerField(help_text="In a row, until now.")
    failing_since = serializers.DateTimeField(allow_null=True)
    old_secret_until = serializers.DateTimeField(allow_null=True, help_text="Until then two secrets sign.")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WebhookMade(WebhookOutput):
    secret = serializers.CharField(help_text="Told now and never again.")


class ReplayInput(InputSerializer):
    since = Instant()
    until = Instant(required=False, help_text="Not included; without it, now.")


class ReplayOutput(OutputSerializer):
    deliveries = serializers.IntegerField(help_text="So many events are sent again.")


class DeliveryOutput(OutputSerializer):
    """One event for one webhook."""

    id = serializers.UUIDField()
    webhook = serializers.UUIDField(source="endpoint_id")
    event = serializers.UUIDField(source="event_id")
    type = serializers.CharField(source="name")
    about = serializers.UUIDField(source="about_id")
    happened_at = serializers.DateTimeField()
    is_replay = serializers.BooleanField()
    state = serializers.ChoiceField(choices=WebhookDelivery.State.choices)
    attempts = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True, help_text="Of the last answer; null: none came.")
    cause = serializers.CharField(allow_blank=True, help_text="Why the last try failed.")
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="When it is tried next.")
    tried_at = serializers.DateTimeField(allow_null=True)
    taken_at = serializers.DateTimeField(allow_null=True)


class WebhookViewSet(ClinicViewSet):
    """Addresses that are told what happens (docs/webhooks.md)."""

    resource = "webhook"
    model = WebhookEndpoint
    output = WebhookOutput
    kept = None
    orderings = {"name": ("name",), "id": ()}
    default_ordering = "name"
    matrix_actions = {"rotate_secret": "change", "ping": "replay", "replay": "replay"}
    route_classes = {"replay": RouteClass.HEAVY}

    @extend_schema(responses=WebhookOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request)

    @extend_schema(responses=WebhookOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=WebhookInput, responses={201: WebhookMade})
    def create(self, request: Request, **_: Any) -> Response:
        """The answer has the secret with which deliveries are signed; it can't be read again."""
        self._require_proof()
        endpoint, secret = services.create_webhook(actor=self.actor, data=self.body(WebhookInput))
        return self._with_secret(endpoint, secret, status=201)

    @extend_schema(request=WebhookChange(partial=True), responses=WebhookOutput)
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        self._require_proof()
        changes = self.body(WebhookChange, partial=True)
        version = self.expected_version()
        return self.one(services.update_webhook(actor=self.actor, webhook_id=self.key(), changes=changes, expected_version=version))

    @extend_schema(request=NothingInput, responses=WebhookMade)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str, **_: Any) -> Response:
        """A new secret. For 24 hours deliveries are signed with the old one too."""
        self._require_proof()
        self.body(NothingInput)
        version = self.expected_version()
        return self._with_secret(*services.rotate_secret(actor=self.actor, webhook_id=self.key(), expected_version=version))

    @extend_schema(request=NothingInput, responses={202: DeliveryOutput})
    @action(detail=True, methods=["post"])
    def ping(self, request: Request, pk: str, **_: Any) -> Response:
        """Send it an event that says nothing. What became of it is at `webhook-deliveries/{id}`."""
        self.body(NothingInput)
        version = self.expected_version()
        delivery = services.ping(actor=self.actor, webhook_id=self.key(), expected_version=version)
        return self._said(DeliveryOutput, delivery, status=202)

    @extend_schema(request=ReplayInput, responses={202: ReplayOutput})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str, **_: Any) -> Response:
        """Send the events of a time again, in their order. 409 while events wait to be sent to it again."""
        given, version = self.body(ReplayInput), self.expected_version()
        count = services.replay_events(actor=self.actor, webhook_id=self.key(), **given, expected_version=version)
        return self._said(ReplayOutput, {"deliveries": count}, status=202)

    def _require_proof(self) -> None:
        """A browser's session alone sets up nothing that outlives it. Raises NotAllowed with `proof_required`."""
        inner = underlying(self.request)
        if inner.auth_method == "session" and not recently_proved(inner):
            message = _("Give your password again first, at %(address)s.") % {"address": reverse("pages:confirm")}
            raise NotAllowed(message, [Detail("", "proof_required", message)])

    def _with_secret(self, endpoint: WebhookEndpoint, secret: str, status: int = 200) -> Response:
        shown = {str(name): getattr(endpoint, str(name)) for name in WebhookOutput().fields}
        return self._said(WebhookMade, {**shown, "secret": secret}, status=status, version=endpoint.version)

    def _said(self, shape: type[OutputSerializer], row: Any, *, status: int, version: int | None = None) -> Response:
        """An answer of another shape than the rows of this view."""
        (data,) = shape.shown([row], {**self.get_serializer_context(), "sparse": None})
        return self._sent(Answer.of(data, version=version), status)


class WebhookDeliveryViewSet(ClinicViewSet):
    """What was sent, what waits, and why."""

    resource = "webhook"
    model = WebhookDelivery
    output = DeliveryOutput
    kept = None
    orderings = {"created_at": ("created_at",)}
    default_ordering = "-created_at"
    matrix_actions = {"replay": "replay"}
    filters = (
        query("webhook", OpenApiTypes.UUID, "Only this webhook's."),
        query("state", one_or_more(WebhookDelivery.State.values), "Only those in these states."),
    )

    def queryset_for(self, actor: Actor) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.all()

    def filtered(self, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        rows = uuid_filter(queryset, self.request, "webhook", "endpoint_id")
        return choice_filter(rows, self.request, "state", WebhookDelivery.State.values)

    @extend_schema(responses=DeliveryOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request)

    @extend_schema(responses=DeliveryOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request)

    @extend_schema(request=NothingInput, responses={202: DeliveryOutput})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str, **_: Any) -> Response:
        """Send this event again, as a delivery of its own. 409 while it waits to be sent again."""
        self.body(NothingInput)
        return self.one(services.replay_delivery(actor=self.actor, delivery_id=self.key()), status=202)
