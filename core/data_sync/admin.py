"""The data sync in the administration: where to, whether it works, and sending by hand."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_site import ScopedAdmin, ServiceForm, actor_of
from core.data_sync import services
from core.data_sync.models import DataSync


class DataSyncForm(ServiceForm):
    """A new receiver's secret is told once, in the message that it was saved."""

    secret_told = ""

    def save_by_service(self) -> DataSync:
        if self.instance._state.adding:
            sync, self.secret_told = services.set_up_data_sync(actor=self.actor, data=self.cleaned_data)
            return sync
        return services.change_data_sync(actor=self.actor, data_sync_id=self.instance.pk, changes=self.changes())


@admin.register(DataSync)
class DataSyncAdmin(ScopedAdmin):
    """A clinic's one receiver."""

    resource = "data_sync"
    asks_for_proof = True
    form = DataSyncForm
    list_display = ("url", "is_active", "last_success_at", "last_rows", "failures", "last_cause")
    ordering = ("pk",)
    fields = ("url", "is_active", "last_success_at", "last_rows", "last_tried_at", "failures", "last_cause", "under_way")
    readonly_fields = ("last_success_at", "last_rows", "last_tried_at", "failures", "last_cause", "under_way")
    actions = ("send", "send_everything", "renew_secret")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj is not None else ("url", "is_active")

    @admin.display(description=gettext_lazy("Under way"))
    def under_way(self, obj: DataSync) -> str:
        if obj.run is None:
            return _("nothing")
        words = _("%(rows)d rows in %(pages)d pages, since %(began)s")
        began = f"{timezone.localtime(obj.run_began):%Y-%m-%d %H:%M}" if obj.run_began else ""
        return words % {"rows": obj.run_rows, "pages": obj.run_pages, "began": began}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.secret_told:
            self._tell(request, form.secret_told)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "send")

    @admin.action(description=gettext_lazy("Send what has changed now"), permissions=["send"])
    def send(self, request: HttpRequest, rows: QuerySet[DataSync]) -> None:
        self._send(request, rows, everything=False)

    @admin.action(description=gettext_lazy("Send everything again"), permissions=["send"])
    def send_everything(self, request: HttpRequest, rows: QuerySet[DataSync]) -> None:
        self._send(request, rows, everything=True)

    def _send(self, request: HttpRequest, rows: QuerySet[DataSync], *, everything: bool) -> None:
        actor = actor_of(request)
        self.each_by_service(
            request,
            rows,
            lambda row: services.send_now(actor=actor, data_sync_id=row.pk, everything=everything),
            _("%d exports are begun as soon as a worker is free."),
        )

    @admin.action(description=gettext_lazy("Make a new secret"), permissions=["change"])
    def renew_secret(self, request: HttpRequest, rows: QuerySet[DataSync]) -> None:
        actor = actor_of(request)

        def renew(row: DataSync) -> None:
            self._tell(request, services.renew_data_sync_secret(actor=actor, data_sync_id=row.pk)[1])

        self.each_by_service(request, rows, renew, _("%d secrets made; they sign from the next page on."))

    def _tell(self, request: HttpRequest, secret: str) -> None:
        self.message_user(request, _("The secret, shown this once: %(secret)s") % {"secret": secret}, messages.WARNING)
