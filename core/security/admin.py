"""Security events and blocked addresses in the admin, for the platform's roles."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts.models import User
from core.admin_site import ScopedAdmin, ServiceForm, actor_of
from core.security.blocking import block_network, lift_block
from core.security.models import AddressBlock, AddressStanding, SecurityEvent

HOURS = [
    (1, "1 h"),
    (24, "24 h"),
    (24 * 7, gettext_lazy("a week")),
    (24 * 30, gettext_lazy("30 days")),
    (24 * 365, gettext_lazy("a year")),
]


class _OfThePlatform(ScopedAdmin):
    """Addresses say where people work: that is no clinic's business."""

    resource = "security"


@admin.register(SecurityEvent)
class SecurityEventAdmin(_OfThePlatform):
    """What happened, by address, kind and minute. Nothing of what was sent is kept."""

    read_only = True
    list_display = ("minute", "kind", "address", "count", "points", "rules", "route")
    list_filter = ("kind", "minute")
    date_hierarchy = "minute"
    search_fields = ("address", "request_id", "route")
    ordering = ("-minute",)
    fields = ("minute", "kind", "address", "count", "points", "rules", "route", "person", "in_clinic", "request_id")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("rules"))
    def rules(self, obj: SecurityEvent) -> str:
        return ", ".join(obj.matched)

    @admin.display(description=gettext_lazy("person"))
    def person(self, obj: SecurityEvent) -> str:
        """The name, of another system the key's; with the id, by which history and access log know them. One query, or none."""
        name = User.objects.filter(pk=obj.person_id).values_list("full_name", flat=True).first() if obj.person_id else None
        return f"{name or _('unknown')}, {obj.person_id}" if obj.person_id else ""


@admin.register(AddressStanding)
class AddressStandingAdmin(_OfThePlatform):
    """Which addresses have points, at the time they were last given, and when somebody last signed in from there."""

    read_only = True
    list_display = ("network", "points", "points_at", "blocks", "blocked_at", "signed_in_at")
    list_filter = ("points_at", "signed_in_at")
    search_fields = ("network",)
    ordering = ("-points_at",)


class BlockForm(ServiceForm):
    """A network, for how long, and why."""

    hours = forms.TypedChoiceField(label=gettext_lazy("For"), choices=HOURS, coerce=int, initial=24)

    def save_by_service(self) -> AddressBlock:
        given = self.cleaned_data
        until = timezone.now() + timedelta(hours=given["hours"])
        return block_network(
            actor=self.actor,
            until=until,
            own_address=self.own_address,
            **{name: given[name] for name in ("network", "reason", "strangers_only")},
        )


@admin.register(AddressBlock)
class AddressBlockAdmin(_OfThePlatform):
    """Who is refused, since when, by whom and why. A block is made here, and lifted from the list; it is never changed."""

    asks_for_proof = True
    form = BlockForm
    list_display = ("network", "state", "until", "automatic", "strangers_only", "reason", "made_at", "made_by")
    list_filter = ("automatic", "strangers_only", "until")
    list_select_related = ("made_by",)
    search_fields = ("network", "reason")
    date_hierarchy = "made_at"
    actions = ("lift",)
    readonly_fields = ("network", "until", "strangers_only", "reason", "automatic", "made_at", "made_by", "lifted_at", "lifted_by")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is not None else ("network", "hours", "reason", "strangers_only")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.own_address = request.META.get("REMOTE_ADDR", "")
        return form

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The list's action may lift; a block's own page is for reading."""
        return obj is None and super().has_change_permission(request)

    @admin.display(description=gettext_lazy("holds"), boolean=True)
    def state(self, obj: AddressBlock) -> bool:
        return obj.holds

    @admin.action(description=gettext_lazy("Lift the block"), permissions=["change"])
    def lift(self, request: HttpRequest, rows: QuerySet[AddressBlock]) -> None:
        actor = actor_of(request)
        self.each_by_service(request, rows, lambda block: lift_block(actor=actor, block_id=block.pk), _("%d blocks lifted."))
