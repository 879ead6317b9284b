"""Who is signed in, with what and from where, in the admin: for the platform's operators, who may end a session."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts.auth_sessions import AuthSession
from core.accounts.services import end_session_of
from core.admin_site import ScopedAdmin, actor_of
from core.tenancy.context import platform_scope


@admin.register(AuthSession)
class AuthSessionAdmin(ScopedAdmin):
    """Sessions of all people; they cross clinics, so they are read as the platform's role. Never a token or its digest."""

    resource = "user"
    read_only = True
    list_display = ("user", "kind", "began", "last_seen", "expires", "ended_at", "ended_reason", "address")
    list_filter = ("kind", "ended_reason", "last_seen")
    list_select_related = ("user",)
    search_fields = ("user__email", "address")
    date_hierarchy = "began"
    ordering = ("-last_seen",)
    actions = ("end",)
    fields = (
        *("user", "kind", "began", "last_seen", "expires", "ended_at", "ended_reason", "ended_by"),
        *("address", "user_agent", "proved_by", "rotated_at"),
    )
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With or without a clinic: sessions belong to none."""
        return self.may(request, "view")

    def has_end_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "change")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        with _across_clinics(request):
            return _rendered(super().changelist_view(request, extra_context))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with _across_clinics(request):
            return _rendered(super().changeform_view(request, *args, **kwargs))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        with _across_clinics(request):
            return _rendered(super().history_view(request, object_id, extra_context))

    @admin.display(description=gettext_lazy("proved by"))
    def proved_by(self, obj: AuthSession) -> str:
        return ", ".join(obj.methods)

    @admin.action(description=gettext_lazy("End the sessions"), permissions=["end"])
    def end(self, request: HttpRequest, rows: QuerySet[AuthSession]) -> None:
        actor = actor_of(request)
        self.each_by_service(request, rows, lambda row: end_session_of(actor=actor, session=row), _("%d sessions ended."))


def _across_clinics(request: HttpRequest) -> Any:
    return platform_scope(reason="sessions in the administration", user_id=request.user.pk)


def _rendered(response: HttpResponse) -> HttpResponse:
    """What is shown is read while it is written, so inside the scope."""
    return response.render() if hasattr(response, "render") else response
