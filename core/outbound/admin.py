"""External systems in the administration, for the platform's roles."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_site import ScopedAdmin, ServiceForm
from core.outbound.errors import NotConfigured
from core.outbound.models import ExternalSystem
from core.outbound.registry import registry
from core.outbound.services import create_system, update_system


class ExternalSystemForm(ServiceForm):
    """The secret is written, never shown."""

    new_authorization = forms.CharField(
        label=gettext_lazy("Authorization header"),
        required=False,
        max_length=2000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Such as “Bearer …”. Empty: it stays as it is."),
    )

    def save_by_service(self) -> ExternalSystem:
        adding = self.instance._state.adding
        given = dict(self.cleaned_data) if adding else self.changes()
        if secret := given.pop("new_authorization", ""):
            given["authorization"] = secret
        if adding:
            return create_system(actor=self.actor, data=given)
        return update_system(actor=self.actor, system_id=self.instance.pk, changes=given)


@admin.register(ExternalSystem)
class ExternalSystemAdmin(ScopedAdmin):
    """Beside these there are those of HMS_EXTERNAL_SYSTEMS, which win."""

    resource = "external_system"
    asks_for_proof = True
    form = ExternalSystemForm
    list_display = ("name", "kind", "balance", "is_active", "updated_at")
    list_filter = ("kind", "is_active")
    search_fields = ("name",)
    ordering = ("name",)
    exclude = ("authorization",)
    readonly_fields = ("created_at", "updated_at")
    actions = ("ask",)

    @admin.action(description=gettext_lazy("Look whether they answer"), permissions=["change"])
    def ask(self, request: HttpRequest, rows: QuerySet[ExternalSystem]) -> None:
        """All endpoints of each system at once."""
        for row in rows:
            self._ask(request, row)

    def _ask(self, request: HttpRequest, row: Any) -> None:
        try:
            found = registry.client(row.name).check()
        except NotConfigured as error:
            self.message_user(request, str(error), messages.WARNING)
            return
        for endpoint, cause in found.items():
            words = _("%(system)s, %(endpoint)s: %(answer)s") % {
                "system": row.name, "endpoint": endpoint, "answer": cause or _("answers"),
            }  # fmt: skip
            self.message_user(request, words, messages.WARNING if cause else messages.SUCCESS)
