"""Services, working hours and visits in the admin. A visit is changed by its workflow alone, and never by hand."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.models import (
    Appointment,
    AppointmentChange,
    Holiday,
    Schedule,
    ScheduleException,
    Service,
    Ticket,
    TicketChange,
)
from appointments.policies import at_places_of, visible_appointments, visible_tickets
from appointments.services import catalogue, hours, workflow
from clinics.models import Provider
from core.admin_site import PrivateSearchAdmin, ReasonActionForm, RecordForm, ScopedAdmin, actor_of
from core.audit.restricted import access_of_reader
from patients.admin import found_ids


class ServiceForm(RecordForm):
    create, update, id_name = staticmethod(catalogue.create_service), staticmethod(catalogue.update_service), "service_id"
    offered_by = forms.MultipleChoiceField(label=gettext_lazy("Offered by"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "offered_by" in self.fields:
            self.fields["offered_by"].choices = [(str(pk), name) for pk, name in Provider.objects.values_list("pk", "name")]
            if not self.instance._state.adding:
                self.initial["offered_by"] = [str(pk) for pk in self.instance.offers.values_list("provider_id", flat=True)]

    def arguments(self, given: dict[str, Any], name: str) -> dict[str, Any]:
        offered = given.pop("offered_by", None)
        return {name: given} if offered is None else {name: given, "offered_by": [_uuid(pk) for pk in offered]}


class ScheduleForm(RecordForm):
    create, update, id_name = staticmethod(hours.create_schedule), staticmethod(hours.update_schedule), "schedule_id"


class ExceptionForm(RecordForm):
    create, update, id_name = staticmethod(hours.create_exception), staticmethod(hours.update_exception), "exception_id"


class HolidayForm(RecordForm):
    create, update, id_name = staticmethod(hours.create_holiday), staticmethod(hours.update_holiday), "holiday_id"


def _uuid(text: str) -> UUID:
    return UUID(text)


@admin.register(Service)
class ServiceAdmin(ScopedAdmin):
    resource = "service"
    form = ServiceForm
    list_display = (
        "name",
        "duration_minutes",
        "buffer_before_minutes",
        "buffer_after_minutes",
        "price_amount",
        "tone",
        "is_active",
    )
    list_filter = ("is_active", "tone", "room_kind")
    search_fields = ("name",)
    readonly_fields = ("created_at", "updated_at", "version")
    actions = ("close",)
    fields = (
        "name",
        "description",
        "duration_minutes",
        "buffer_before_minutes",
        "buffer_after_minutes",
        "price_amount",
        "tone",
        "room_kind",
        "reminder_hours",
        "second_reminder_hours",
        "is_active",
        "offered_by",
        *readonly_fields,
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Who may only look sees names of providers, not boxes."""
        if self.has_change_permission(request, obj):
            return self.fields
        return tuple("offered_by_names" if name == "offered_by" else name for name in self.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "offered_by_names")

    @admin.display(description=gettext_lazy("offered by"))
    def offered_by_names(self, obj: Service) -> str:
        return ", ".join(obj.providers.values_list("name", flat=True))

    @admin.action(description=gettext_lazy("Close for booking"), permissions=["change"])
    def close(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        actor = actor_of(request)
        self.each_by_service(
            request,
            rows,
            lambda row: catalogue.update_service(actor=actor, service_id=row.pk, changes={"is_active": False}),
            _("%d services closed."),
        )


class HoursAdmin(ScopedAdmin):
    """Working hours hold no record of care, so they can be deleted."""

    resource = "schedule"
    readonly_fields = ("created_at", "updated_at", "version")


@admin.register(Schedule)
class ScheduleAdmin(HoursAdmin):
    form = ScheduleForm
    fields = (
        "provider",
        "location",
        "room",
        "weekday",
        "start_time",
        "end_time",
        "slot_minutes",
        "valid_from",
        "valid_until",
        *HoursAdmin.readonly_fields,
    )
    list_display = ("provider", "weekday", "start_time", "end_time", "location", "room", "valid_from", "valid_until")
    list_filter = ("weekday", "location", "provider")
    list_select_related = ("provider", "location", "room")
    search_fields = ("provider__name",)
    autocomplete_fields = ("provider", "location", "room")
    ordering = ("provider__name", "weekday", "start_time")


@admin.register(ScheduleException)
class ScheduleExceptionAdmin(HoursAdmin):
    form = ExceptionForm
    fields = (
        "provider",
        "kind",
        "first_day",
        "last_day",
        "start_time",
        "end_time",
        "location",
        "room",
        "reason",
        *HoursAdmin.readonly_fields,
    )
    list_display = ("provider", "kind", "first_day", "last_day", "start_time", "end_time", "location", "reason")
    list_filter = ("kind", "provider")
    list_select_related = ("provider", "location")
    search_fields = ("provider__name", "reason")
    autocomplete_fields = ("provider", "location", "room")
    date_hierarchy = "first_day"


@admin.register(Holiday)
class HolidayAdmin(HoursAdmin):
    form = HolidayForm
    fields = ("day", "name", "location", *HoursAdmin.readonly_fields)
    list_display = ("day", "name", "location")
    list_filter = ("location",)
    list_select_related = ("location",)
    search_fields = ("name",)
    autocomplete_fields = ("location",)
    date_hierarchy = "day"


class ChangeInline(admin.TabularInline):  # type: ignore[type-arg]
    """The visit's history."""

    model = AppointmentChange
    fields = ("at", "kind", "from_status", "to_status", "from_start", "to_start", "actor_name", "reason")
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("at", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AppointmentChange]:
        return super().get_queryset(request).exclude(appointment__patient_id__in=access_of_reader().closed)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.actor is not None and request.actor.can("appointment", "history")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Appointment)
class AppointmentAdmin(PrivateSearchAdmin):
    """Visits, to look at and to take through their workflow. Booking and moving have pages of their own."""

    resource = "appointment"
    read_only = True
    list_display = ("when", "status", "patient", "service", "provider", "location", "room", "is_urgent", "source")
    list_filter = ("status", "source", "is_urgent", "location", "provider")
    list_select_related = ("patient", "service", "provider", "location", "room")
    date_hierarchy = "local_day"
    ordering = ("-start", "-pk")
    action_form = ReasonActionForm
    actions = ("confirm", "check_in", "start_visit", "complete", "cancel", "no_show", "undo")
    inlines = (ChangeInline,)
    fields = (
        ("start", "end"), ("time_zone", "local_day"), "patient", "service", ("provider", "location", "room"),
        ("status", "source", "is_urgent"), "shown_notes", ("checked_in_at", "started_at", "completed_at"),
        ("created_at", "updated_at", "version"),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Appointment]:
        return super().get_queryset(request) & visible_appointments(actor_of(request))

    @admin.display(description=gettext_lazy("notes"))
    def shown_notes(self, obj: Appointment) -> str:
        return obj.shown_notes

    @admin.display(description=gettext_lazy("start"), ordering="start")
    def when(self, obj: Appointment) -> str:
        """In the clinic's time, by the 24-hour clock."""
        return date_format(timezone.localtime(obj.start), "j M Y, H:i")

    def found(self, request: HttpRequest, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        return rows.filter(patient_id__in=found_ids(request, words))

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "confirm")

    def has_check_in_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "check_in")

    def has_start_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "start")

    def has_complete_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "complete")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "cancel")

    def has_no_show_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "no_show")

    def has_undo_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "undo")

    def _step(self, request: HttpRequest, rows: QuerySet[Appointment], action: str) -> None:
        actor, reason = actor_of(request), request.POST.get("reason", "")
        self.each_by_service(
            request,
            rows,
            lambda row: workflow.change_status(actor=actor, appointment_id=row.pk, action=action, reason=reason),
            _("%d visits changed."),
        )

    @admin.action(description=gettext_lazy("Confirm"), permissions=["confirm"])
    def confirm(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        self._step(request, rows, "confirm")

    @admin.action(description=gettext_lazy("Check in"), permissions=["check_in"])
    def check_in(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        self._step(request, rows, "check_in")

    @admin.action(description=gettext_lazy("Start"), permissions=["start"])
    def start_visit(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        self._step(request, rows, "start")

    @admin.action(description=gettext_lazy("Complete"), permissions=["complete"])
    def complete(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        self._step(request, rows, "complete")

    @admin.action(description=gettext_lazy("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        self._step(request, rows, "cancel")

    @admin.action(description=gettext_lazy("Note as missed"), permissions=["no_show"])
    def no_show(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        self._step(request, rows, "no_show")

    @admin.action(description=gettext_lazy("Undo the last step"), permissions=["undo"])
    def undo(self, request: HttpRequest, rows: QuerySet[Appointment]) -> None:
        actor = actor_of(request)
        self.each_by_service(
            request, rows, lambda row: workflow.undo_last_change(actor=actor, appointment_id=row.pk), _("%d visits changed.")
        )


@admin.register(AppointmentChange)
class AppointmentChangeAdmin(ScopedAdmin):
    """What happened to visits. Written with the change, never altered."""

    resource = "appointment"
    read_only = True
    list_display = ("at", "appointment", "kind", "from_status", "to_status", "actor_name", "reason")
    list_filter = ("kind", "to_status")
    list_select_related = ("appointment",)
    date_hierarchy = "at"
    ordering = ("-at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AppointmentChange]:
        changes = super().get_queryset(request).exclude(appointment__patient_id__in=access_of_reader().closed)
        return at_places_of(actor_of(request), changes, "appointment__location")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and self.may(request, "history")


@admin.register(Ticket)
class TicketAdmin(ScopedAdmin):
    """Who waited, when and how long. Tickets are called on the queue's page."""

    resource = "queue"
    read_only = True
    list_display = ("token", "day", "status", "priority", "location", "series", "source", "taken_at", "called_at", "ended_at")
    list_filter = ("status", "priority", "source", "location", "series")
    list_select_related = ("location", "series")
    date_hierarchy = "day"
    ordering = ("-day", "-taken_at", "-pk")
    fields = (
        "token", ("location", "day"), "series", ("status", "priority", "source"), ("service", "provider", "room"), "patient",
        "appointment", ("taken_at", "queued_at"), ("called_at", "last_called_at", "calls"), ("serving_at", "ended_at"),
        ("expected_minutes", "expected_least", "expected_most"), ("created_at", "updated_at", "version"),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        return super().get_queryset(request) & visible_tickets(actor_of(request))


@admin.register(TicketChange)
class TicketChangeAdmin(ScopedAdmin):
    """The steps of tickets: who took them and when. Never altered."""

    resource = "queue"
    read_only = True
    list_display = ("at", "ticket", "action", "from_status", "to_status", "actor_name", "room")
    list_filter = ("action", "to_status")
    list_select_related = ("ticket", "room")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TicketChange]:
        return at_places_of(actor_of(request), super().get_queryset(request), "ticket__location")
