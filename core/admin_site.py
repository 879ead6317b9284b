"""Django's own admin, behind the permission matrix and inside the clinic scope."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class HMSAdminSite(admin.AdminSite):
    site_header = _("HMS administration")
    site_title = _("HMS")
    index_title = _("Administration")

    def has_permission(self, request: HttpRequest) -> bool:
        actor = getattr(request, "actor", None)
        return actor is not None and actor.can("admin", "view")


class ScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of every admin class: the matrix decides, the scope limits the rows, nothing is deleted by hand.

    Subclasses name the matrix's `resource`.
    """

    resource = ""
    show_full_result_count = False

    def _may(self, request: HttpRequest, action: str) -> bool:
        actor = getattr(request, "actor", None)
        return actor is not None and actor.can(self.resource, action)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        clinic_missing = getattr(self.model, "table_kind", "platform") == "clinic" and getattr(request, "clinic", None) is None
        return not clinic_missing and self._may(request, "view")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request) and self._may(request, "create")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request) and self._may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
