"""The kept changes in the administration: read, never written."""

import json
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts.models import User
from core.admin_site import ScopedAdmin, actor_of
from core.audit.restricted import access_of_reader
from core.history.keeping import model_of
from core.history.models import Change, Seal


@admin.register(Change)
class ChangeAdmin(ScopedAdmin):
    """What was changed in the clinic, also by raw SQL. Values stand on an entry's own page, encrypted ones as they are kept.

    Not for who works at some locations only: it has the visits of all.
    """

    resource = "history"
    read_only = True
    list_display = ("at", "table_name", "row", "operation", "person", "by_role")
    list_filter = ("operation",)
    search_fields = ("=row_id",)
    search_help_text = gettext_lazy("The id of a row.")
    ordering = ("-id",)
    fields = (
        "at", "table_name", "row_id", "operation", "person", "actor_id", "by_role", "request_id", "reason", "before",
        "after", "xid",
    )  # fmt: skip
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and not actor_of(request).location_ids

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        name = User.objects.filter(pk=OuterRef("actor_id")).values("full_name")[:1]
        rows: QuerySet[Change] = super().get_queryset(request).annotate(person=Subquery(name))
        return rows

    @admin.display(description=gettext_lazy("row"))
    def row(self, obj: Change) -> str:
        return str(obj.row_id)[-12:]

    @admin.display(description=gettext_lazy("by"))
    def person(self, obj: Any) -> str:
        return obj.person or "–"

    @admin.display(description=gettext_lazy("before"))
    def before(self, obj: Change) -> SafeString:
        return _as_text(obj.old_values, withheld=_is_withheld(obj))

    @admin.display(description=gettext_lazy("after"))
    def after(self, obj: Change) -> SafeString:
        return _as_text(obj.new_values, withheld=_is_withheld(obj))


@admin.register(Seal)
class SealAdmin(ScopedAdmin):
    """The blocks that seal the history. `manage.py verify_audit` checks them."""

    resource = "history"
    read_only = True
    list_display = ("sealed_at", "table_name", "number", "rows", "key_number")
    list_filter = ("table_name",)
    ordering = ("-sealed_at", "-number")
    fields = ("sealed_at", "table_name", "number", "rows", "first", "last", "own_hash", "key_number")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("row_digests")

    @admin.display(description=gettext_lazy("rows"))
    def rows(self, obj: Seal) -> int:
        return len(obj.row_ids)

    @admin.display(description=gettext_lazy("first row"))
    def first(self, obj: Seal) -> int:
        return obj.row_ids[0]

    @admin.display(description=gettext_lazy("last row"))
    def last(self, obj: Seal) -> int:
        return obj.row_ids[-1]

    @admin.display(description=gettext_lazy("hash"))
    def own_hash(self, obj: Seal) -> str:
        return bytes(obj.hash).hex()


def _is_withheld(change: Change) -> bool:
    """Is it about a restricted record that isn't open to the reader? One query in a clinic that has one."""
    closed, model = access_of_reader().closed, model_of(change.table_name)
    if not closed or model is None or not (path := getattr(model, "subject_path", "")):
        return False
    row = model._default_manager.filter(pk=change.row_id).first()
    return row is not None and attrgetter(path)(row) in closed


def _as_text(values: Any, *, withheld: bool) -> SafeString:
    if withheld:
        return format_html("{}", _("This record is restricted."))
    return format_html("<pre>{}</pre>", json.dumps(values, ensure_ascii=False, indent=1, sort_keys=True) if values else "–")
