"""What a clinic consists of, in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinics import services
from clinics.models import ClinicSettings, Department, Invitation, Location, Provider, Room
from clinics.selectors import location_choices
from core.accounts.models import Membership, User
from core.admin import offer_locations
from core.admin_site import RecordForm, ScopedAdmin, actor_of

offer_locations(location_choices)


RECORD = ("created_at", "updated_at", "version")


class LocationForm(RecordForm):
    create, update, id_name = staticmethod(services.create_location), staticmethod(services.update_location), "location_id"


class DepartmentForm(RecordForm):
    create, update, id_name = staticmethod(services.create_department), staticmethod(services.update_department), "department_id"


class RoomForm(RecordForm):
    create, update, id_name = staticmethod(services.create_room), staticmethod(services.update_room), "room_id"


class ProviderForm(RecordForm):
    create, update, id_name = staticmethod(services.create_provider), staticmethod(services.update_provider), "provider_id"


class ClinicSettingsForm(RecordForm):
    """A clinic has one row; saving it makes it if it isn't there yet."""

    def save_by_service(self) -> ClinicSettings:
        changes = self.cleaned_data if self.instance._state.adding else self.changes()
        return services.update_settings(actor=self.actor, changes=changes)


class PlaceAdmin(ScopedAdmin):
    """What can be taken out of use and put back, by the service that changes it."""

    list_filter: tuple[str, ...] = ("is_active",)
    search_fields: tuple[str, ...] = ("name",)
    readonly_fields = RECORD
    actions = ("take_out", "put_back")

    @admin.action(description=gettext_lazy("Take out of use"), permissions=["change"])
    def take_out(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._switch(request, rows, active=False)

    @admin.action(description=gettext_lazy("Put back into use"), permissions=["change"])
    def put_back(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._switch(request, rows, active=True)

    def _switch(self, request: HttpRequest, rows: QuerySet[Any], *, active: bool) -> None:
        form = self.form
        assert issubclass(form, RecordForm)  # noqa: S101
        actor = actor_of(request)
        self.each_by_service(
            request,
            rows.filter(is_active=not active),
            lambda row: form.update(actor=actor, **{form.id_name: row.pk}, changes={"is_active": active}),
            _("%d changed."),
        )


@admin.register(ClinicSettings)
class ClinicSettingsAdmin(ScopedAdmin):
    resource = "clinic"
    asks_for_proof = True
    form = ClinicSettingsForm
    fields = ("wait_warn_minutes", "wait_late_minutes", "retention_years", *RECORD)
    list_display = ("__str__", "wait_warn_minutes", "wait_late_minutes", "retention_years", "updated_at")
    readonly_fields = RECORD

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request) and not ClinicSettings.objects.exists()


@admin.register(Location)
class LocationAdmin(PlaceAdmin):
    resource = "location"
    form = LocationForm
    fields = ("name", "address", "phone", "time_zone", "is_active", *RECORD)
    list_display = ("name", "address", "phone", "time_zone", "is_active")


@admin.register(Department)
class DepartmentAdmin(PlaceAdmin):
    resource = "department"
    form = DepartmentForm
    fields = ("name", "is_active", *RECORD)
    list_display = ("name", "is_active", "updated_at")


@admin.register(Room)
class RoomAdmin(PlaceAdmin):
    resource = "room"
    form = RoomForm
    fields = ("location", "name", "kind", "is_active", *RECORD)
    list_display = ("name", "location", "kind", "is_active")
    list_filter = ("is_active", "kind", "location")
    list_select_related = ("location",)
    search_fields = ("name", "location__name")
    autocomplete_fields = ("location",)


@admin.register(Provider)
class ProviderAdmin(PlaceAdmin):
    resource = "provider"
    form = ProviderForm
    fields = ("name", "kind", "department", "user", "is_active", *RECORD)
    list_display = ("name", "kind", "department", "user", "is_active")
    list_filter = ("is_active", "kind", "department")
    list_select_related = ("department", "user")
    search_fields = ("name",)
    autocomplete_fields = ("department",)

    def formfield_for_foreignkey(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """A provider's account is that of a member of this clinic: other people's are not even named."""
        if db_field.name == "user":
            members = Membership.objects.filter(clinic=request.clinic, state=Membership.State.ACTIVE)
            kwargs["queryset"] = User.objects.filter(pk__in=members.values("user_id"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Invitation)
class InvitationAdmin(ScopedAdmin):
    """Read here, made and withdrawn in the clinic's settings, where the e-mail is written."""

    resource = "membership"
    read_only = True
    fields = ("email", "full_name", "roles", "department", "invited_by", "expires_at", "accepted_at", "accepted_by", "withdrawn_at")
    readonly_fields = fields
    list_display = ("email", "invited_by", "created_at", "expires_at", "accepted_at", "withdrawn_at")
    list_select_related = ("invited_by",)
    search_fields = ("email",)
