"""Faults in the administration: what is open, how often and since when; resolved or ignored from the list."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_site import ScopedAdmin, actor_of
from core.faults.models import Fault
from core.faults.services import judge_fault


@admin.register(Fault)
class FaultAdmin(ScopedAdmin):
    """Processes write them; a person only says what is to be thought of one."""

    resource = "fault"
    read_only = True
    list_display = ("last_seen", "error", "place", "message", "kind", "state", "count", "clinics", "first_seen")
    list_filter = ("state", "kind", "last_seen")
    search_fields = ("fingerprint", "error", "place", "message")
    ordering = ("-last_seen",)
    actions = ("resolve", "ignore", "open_again")
    list_select_related = ("changed_by",)
    fields = (
        *("fingerprint", "state", "kind", "error", "place", "line", "message", "count", "first_seen", "last_seen", "came_back"),
        *("names", "in_clinics", "request_ids", "changed_at", "changed_by", "traceback"),
    )
    readonly_fields = fields

    @admin.display(description=gettext_lazy("clinics"))
    def clinics(self, obj: Fault) -> int:
        return len(obj.in_clinics)

    @admin.action(description=gettext_lazy("Resolved; open again when it comes back"), permissions=["judge"])
    def resolve(self, request: HttpRequest, rows: QuerySet[Fault]) -> None:
        self._judge(request, rows, Fault.State.RESOLVED, _("%d faults resolved."))

    @admin.action(description=gettext_lazy("Ignore them; they are still counted"), permissions=["judge"])
    def ignore(self, request: HttpRequest, rows: QuerySet[Fault]) -> None:
        self._judge(request, rows, Fault.State.IGNORED, _("%d faults ignored."))

    @admin.action(description=gettext_lazy("Open them again"), permissions=["judge"])
    def open_again(self, request: HttpRequest, rows: QuerySet[Fault]) -> None:
        self._judge(request, rows, Fault.State.OPEN, _("%d faults opened."))

    def has_judge_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "change")

    def _judge(self, request: HttpRequest, rows: QuerySet[Fault], state: Fault.State, done: str) -> None:
        actor: Any = actor_of(request)
        self.each_by_service(request, rows, lambda fault: judge_fault(actor=actor, fault_id=fault.pk, state=state), done)
