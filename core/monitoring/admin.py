"""Alerts and their rules in the administration, for the platform's roles."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_site import ReasonActionForm, ScopedAdmin, ServiceForm, actor_of
from core.monitoring.models import Alert, AlertRule
from core.monitoring.services import acknowledge, create_rule, rule_of, update_rule
from core.monitoring.words import condition, figure


class AlertRuleForm(ServiceForm):
    """One rule."""

    def save_by_service(self) -> AlertRule:
        if self.instance._state.adding:
            return create_rule(actor=self.actor, data=self.cleaned_data)
        return update_rule(actor=self.actor, rule_id=self.instance.pk, changes=self.changes())


@admin.register(AlertRule)
class AlertRuleAdmin(ScopedAdmin):
    """Rules are switched off, never deleted: their alerts stay."""

    resource = "alert"
    form = AlertRuleForm
    list_display = ("name", "when", "subject", "severity", "quiet_minutes", "is_active")
    list_filter = ("severity", "is_active")
    search_fields = ("name", "metric", "subject")
    ordering = ("name",)
    exclude = ("updated_at",)
    readonly_fields = ("updated_at",)

    @admin.display(description=gettext_lazy("when"))
    def when(self, obj: AlertRule) -> str:
        return condition(rule_of(obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What a rule is about stays: its alerts would tell of something else."""
        return ("name", "metric", "subject", "updated_at") if obj is not None else ("updated_at",)


@admin.register(Alert)
class AlertAdmin(ScopedAdmin):
    """What was raised, whether it is over, who knows of it. Written by HMS alone, but for the acknowledgement."""

    resource = "alert"
    read_only = True
    action_form = ReasonActionForm
    list_display = ("raised_at", "rule", "subject", "server", "severity", "now", "resolved_at", "acknowledged_by", "note")
    list_filter = ("severity", "raised_at", ("resolved_at", admin.EmptyFieldListFilter), "rule")
    list_select_related = ("rule", "acknowledged_by")
    search_fields = ("subject", "server")
    ordering = ("-raised_at",)
    actions = ("acknowledge_alerts",)
    fields = (
        *("rule", "subject", "server", "severity", "now", "most", "note", "raised_at", "seen_at", "told_at", "resolved_at"),
        *("acknowledged_at", "acknowledged_by", "acknowledgement"),
    )
    readonly_fields = fields

    @admin.display(description=gettext_lazy("value"))
    def now(self, obj: Alert) -> str:
        return figure(obj.rule.metric, obj.value)

    @admin.display(description=gettext_lazy("worst"))
    def most(self, obj: Alert) -> str:
        return figure(obj.rule.metric, obj.worst)

    @admin.action(description=gettext_lazy("Acknowledge them"), permissions=["acknowledge"])
    def acknowledge_alerts(self, request: HttpRequest, rows: QuerySet[Alert]) -> None:
        actor, note = actor_of(request), request.POST.get("reason", "")
        self.each_by_service(
            request, rows, lambda alert: acknowledge(actor=actor, alert_id=alert.pk, note=note), _("%d alerts acknowledged.")
        )

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "acknowledge")
