"""Webhooks in the administration: set up, tried, and what was sent sent again."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_site import ScopedAdmin, ServiceForm, actor_of
from core.events.catalogue import catalogue
from core.events.models import DomainEvent
from core.webhooks import services
from core.webhooks.models import WebhookDelivery, WebhookEndpoint

DAY = timedelta(days=1)


def event_choices() -> list[tuple[str, str]]:
    return [(name, name) for name in catalogue()]


class WebhookForm(ServiceForm):
    """Events as boxes. A new webhook's secret is told once, in the message that it was saved."""

    events = forms.MultipleChoiceField(label=gettext_lazy("Events"), choices=event_choices, widget=forms.CheckboxSelectMultiple)
    secret_told = ""

    def save_by_service(self) -> WebhookEndpoint:
        if self.instance._state.adding:
            endpoint, self.secret_told = services.create_webhook(actor=self.actor, data=self.cleaned_data)
            return endpoint
        return services.update_webhook(actor=self.actor, webhook_id=self.instance.pk, changes=self.changes())


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ScopedAdmin):
    """A clinic's webhooks."""

    resource = "webhook"
    asks_for_proof = True
    form = WebhookForm
    list_display = ("name", "url", "is_active", "failures", "failing_since", "disabled_at")
    list_filter = ("is_active",)
    search_fields = ("name", "url")
    ordering = ("name",)
    fields = ("name", "url", "events", "is_active", "state")
    readonly_fields = ("state",)
    actions = ("ping", "rotate_secret", "replay_day")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj is not None else ("name", "url", "events")

    @admin.display(description=gettext_lazy("State"))
    def state(self, obj: WebhookEndpoint) -> str:
        if obj.disabled_at is not None:
            return _("Switched off by HMS at %(at)s: %(why)s.") % {
                "at": f"{obj.disabled_at:%Y-%m-%d %H:%M}",
                "why": obj.disabled_why,
            }
        return _("%(count)d failures in a row.") % {"count": obj.failures}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.secret_told:
            self._tell(request, obj, form.secret_told)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "replay")

    @admin.action(description=gettext_lazy("Send a ping"), permissions=["replay"])
    def ping(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        actor = actor_of(request)
        self.each_by_service(
            request, rows, lambda row: services.ping(actor=actor, webhook_id=row.pk), _("%d pings are on their way.")
        )

    @admin.action(description=gettext_lazy("Make a new secret"), permissions=["change"])
    def rotate_secret(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        actor = actor_of(request)

        def rotate(row: WebhookEndpoint) -> None:
            self._tell(request, *services.rotate_secret(actor=actor, webhook_id=row.pk))

        self.each_by_service(request, rows, rotate, _("%d secrets made; for 24 hours the old ones sign too."))

    @admin.action(description=gettext_lazy("Send the last 24 hours again"), permissions=["replay"])
    def replay_day(self, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> None:
        actor, since = actor_of(request), timezone.now() - DAY
        self.each_by_service(
            request,
            rows,
            lambda row: services.replay_events(actor=actor, webhook_id=row.pk, since=since),
            _("For %d webhooks the events of the last 24 hours are sent again."),
        )

    def _tell(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> None:
        words = _("The secret of “%(name)s”, shown this once: %(secret)s") % {"name": endpoint.name, "secret": secret}
        self.message_user(request, words, messages.WARNING)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ScopedAdmin):
    """What was sent, what waits, and why. Written by the sender alone."""

    resource = "webhook"
    read_only = True
    list_display = ("created_at", "endpoint", "name", "about_id", "state", "attempts", "status", "cause", "due_at", "is_replay")
    list_filter = ("state", "name", "is_replay")
    list_select_related = ("endpoint",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("endpoint", "name", "event_id", "about_id", "happened_at", "state", "attempts", "status", "cause", "created_at",
              "due_at", "tried_at", "taken_at", "expires_at", "is_replay")  # fmt: skip
    readonly_fields = fields
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "replay")

    @admin.action(description=gettext_lazy("Send again"), permissions=["replay"])
    def replay(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> None:
        actor = actor_of(request)
        self.each_by_service(
            request, rows, lambda row: services.replay_delivery(actor=actor, delivery_id=row.pk), _("%d are sent again.")
        )


@admin.register(DomainEvent)
class DomainEventAdmin(ScopedAdmin):
    """What happened, as it is told to other systems: ids and kinds."""

    resource = "webhook"
    read_only = True
    list_display = ("at", "name", "about", "about_id")
    list_filter = ("name",)
    date_hierarchy = "at"
    ordering = ("-at",)
    fields = ("at", "name", "schema", "about", "about_id", "data")
    readonly_fields = fields
