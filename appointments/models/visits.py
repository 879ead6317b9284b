"""What can be booked, when providers work, the visits themselves, and the claims that make double booking impossible."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from appointments.choices import ChangeKind, ExceptionKind, ReminderKind, ResourceKind, Source, Status, Tone, Weekday
from appointments.querysets import AppointmentQuerySet
from appointments.validators import exception_rules, holiday_rules, schedule_rules, service_rules, visit_rules
from clinics.models import Location, Provider, Room
from core.anonymity import anonymised
from core.history.keeping import keeps_history
from core.tenancy.announcements import announces
from core.tenancy.ids import new_id
from core.tenancy.models import ClinicForeignKey, ClinicModel, Record
from core.tenancy.querysets import ClinicManager
from core.validators import Rules
from patients.models import Patient


@keeps_history()
@announces()
class Service(Record):
    """Something that can be booked. Buffers are kept free before and after it, for provider and room."""

    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("description"), max_length=300, blank=True)
    duration_minutes = models.PositiveSmallIntegerField(
        _("duration (minutes)"), validators=[MinValueValidator(5), MaxValueValidator(720)]
    )
    buffer_before_minutes = models.PositiveSmallIntegerField(
        _("free before (minutes)"), default=0, validators=[MaxValueValidator(240)]
    )
    buffer_after_minutes = models.PositiveSmallIntegerField(
        _("free after (minutes)"), default=0, validators=[MaxValueValidator(240)]
    )
    price_amount = models.DecimalField(
        _("price"), max_digits=10, decimal_places=2, default=Decimal("0.00"), validators=[MinValueValidator(0)],
        help_text=_("In the clinic's currency."),
    )  # fmt: skip
    tone = models.CharField(_("colour"), max_length=8, choices=Tone, default=Tone.ACCENT)
    room_kind = models.CharField(
        _("needs a room"), max_length=16, choices=Room.Kind, blank=True, help_text=_("Empty: it needs no room.")
    )
    reminder_hours = models.PositiveSmallIntegerField(
        _("first reminder (hours before)"), default=48, db_default=48, validators=[MaxValueValidator(336)], help_text=_("0: none.")
    )
    second_reminder_hours = models.PositiveSmallIntegerField(
        _("second reminder (hours before)"), default=2, db_default=2, validators=[MaxValueValidator(336)], help_text=_("0: none.")
    )
    is_active = models.BooleanField(_("can be booked"), default=True)
    providers = models.ManyToManyField(Provider, through="ServiceProvider", related_name="services", verbose_name=_("offered by"))

    class Meta(Record.Meta):
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["clinic", "name"], name="appointments_service_name_once")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return service_rules()


@keeps_history()
@announces()
class ServiceProvider(ClinicModel):
    """Who offers which service."""

    service = ClinicForeignKey(Service, models.CASCADE, related_name="offers", verbose_name=_("service"))
    provider = ClinicForeignKey(Provider, models.CASCADE, related_name="offers", verbose_name=_("provider"))

    class Meta(ClinicModel.Meta):
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        constraints = [models.UniqueConstraint(fields=["clinic", "service", "provider"], name="appointments_offer_once")]


@keeps_history()
@announces(schedules=["provider_id"])
class Schedule(Record):
    """Weekly hours of a provider at a location, in the location's wall-clock time.

    `end_time` at or before `start_time` means the next day: a night shift belongs to the day it starts.
    """

    provider = ClinicForeignKey(Provider, related_name="schedules", verbose_name=_("provider"))
    location = ClinicForeignKey(Location, related_name="+", verbose_name=_("location"))
    room = ClinicForeignKey(
        Room,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("room"),
        help_text=_("The room they work in, if always the same."),
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    start_time = models.TimeField(_("from"))
    end_time = models.TimeField(_("until"))
    slot_minutes = models.PositiveSmallIntegerField(
        _("a start every (minutes)"), default=10, validators=[MinValueValidator(5), MaxValueValidator(240)]
    )
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True, help_text=_("The last day, included."))

    class Meta(Record.Meta):
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ["weekday", "start_time"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__range=(0, 6)), name="appointments_schedule_weekday"),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="appointments_schedule_valid_range",
            ),
        ]
        indexes = [models.Index(fields=["clinic", "provider", "weekday"], name="appointments_schedule_week")]

    def field_rules(self) -> Rules:
        return schedule_rules()


@keeps_history()
@announces(schedule_exceptions=["provider_id"])
class ScheduleException(Record):
    """A provider's days that differ from the week: away, or extra hours. Without times: the whole local day(s)."""

    provider = ClinicForeignKey(Provider, related_name="schedule_exceptions", verbose_name=_("provider"))
    kind = models.CharField(_("kind"), max_length=8, choices=ExceptionKind)
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    start_time = models.TimeField(_("from"), null=True, blank=True)
    end_time = models.TimeField(_("until"), null=True, blank=True)
    location = ClinicForeignKey(
        Location, null=True, blank=True, related_name="+", verbose_name=_("location"), help_text=_("For extra hours: where.")
    )
    room = ClinicForeignKey(Room, null=True, blank=True, related_name="+", verbose_name=_("room"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta(Record.Meta):
        verbose_name = _("schedule exception")
        verbose_name_plural = _("schedule exceptions")
        ordering = ["first_day", "start_time"]
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="appointments_exception_days"),
            models.CheckConstraint(
                condition=~Q(kind=ExceptionKind.EXTRA)
                | Q(start_time__isnull=False, end_time__isnull=False, location__isnull=False),
                name="appointments_exception_extra_complete",
            ),
        ]
        indexes = [models.Index(fields=["clinic", "provider", "last_day"], name="appointments_exception_days")]

    def field_rules(self) -> Rules:
        return exception_rules()


@keeps_history()
@announces()
class Holiday(Record):
    """A day on which the clinic, or one location, is closed."""

    day = models.DateField(_("day"))
    name = models.CharField(_("name"), max_length=120)
    location = ClinicForeignKey(
        Location, null=True, blank=True, related_name="+", verbose_name=_("location"), help_text=_("Empty: every location.")
    )

    class Meta(Record.Meta):
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["clinic", "day", "location"], nulls_distinct=False, name="appointments_holiday_once")
        ]

    def field_rules(self) -> Rules:
        return holiday_rules()


@anonymised(
    keep=[
        "patient", "service", "provider", "location", "room", "start", "end", "time_zone", "local_day", "status", "source",
        "is_urgent", "checked_in_at", "started_at", "completed_at",
    ],
    blank=["notes"],
)  # fmt: skip
@keeps_history()
@announces(appointment=["id"], appointments=["clinic_id", "local_day"], visits=["patient_id"])
class Appointment(Record):
    """A visit: planned, under way or past. Never deleted. `start` and `end` are the patient's time, without buffers."""

    subject_path = "patient_id"

    patient = ClinicForeignKey(Patient, related_name="appointments", verbose_name=_("patient"))
    service = ClinicForeignKey(Service, related_name="+", verbose_name=_("service"))
    provider = ClinicForeignKey(Provider, related_name="appointments", verbose_name=_("provider"))
    location = ClinicForeignKey(Location, related_name="+", verbose_name=_("location"))
    room = ClinicForeignKey(Room, null=True, blank=True, related_name="+", verbose_name=_("room"))
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    time_zone = models.CharField(_("time zone"), max_length=63, help_text=_("The location's, when the visit was booked."))
    local_day = models.DateField(_("day"), help_text=_("The day in the location's time zone."))
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.CONFIRMED)
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.STAFF)
    is_urgent = models.BooleanField(_("urgent"), default=False)
    notes = models.TextField(_("notes"), blank=True, max_length=2000)
    checked_in_at = models.DateTimeField(_("checked in"), null=True, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    completed_at = models.DateTimeField(_("completed"), null=True, editable=False)

    objects = ClinicManager.from_queryset(AppointmentQuerySet)()  # type: ignore[assignment, misc]

    class Meta(Record.Meta):
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        constraints = [models.CheckConstraint(condition=Q(end__gt=F("start")), name="appointments_end_after_start")]
        indexes = [
            models.Index(fields=["clinic", "local_day", "start", "id"], name="appointments_by_day"),
            models.Index(fields=["clinic", "provider", "start"], name="appointments_by_provider"),
            models.Index(fields=["clinic", "patient", "-start"], name="appointments_by_patient"),
            models.Index(fields=["clinic", "start", "id"], name="appointments_by_start"),
            models.Index(fields=["clinic", "updated_at", "id"], name="appointments_by_update"),
        ]

    def field_rules(self) -> Rules:
        return {"notes": visit_rules()["notes"]}

    @property
    def local_start(self) -> datetime:
        """On the clock of its place."""
        return self.start.astimezone(ZoneInfo(self.time_zone))

    @property
    def is_today(self) -> bool:
        """Is its day the one that it is now at its place?"""
        return self.local_day == timezone.now().astimezone(ZoneInfo(self.time_zone)).date()

    @property
    def shown_notes(self) -> str:
        """The notes; empty for a reader to whom the patient's record isn't open. A query unless the patient was read."""
        return "" if self.patient.is_withheld else self.notes


@anonymised(
    keep=[
        "appointment", "at", "kind", "actor", "actor_name", "from_status", "to_status", "from_start", "to_start", "from_provider",
        "to_provider",
    ],
    blank=["reason"],
)  # fmt: skip
@keeps_history()
@announces(history=["appointment_id"])
class AppointmentChange(ClinicModel):
    """One line of a visit's history: who changed what, when and why. Written with the change, never altered."""

    subject_path = "appointment.patient_id"

    appointment = ClinicForeignKey(Appointment, related_name="changes", verbose_name=_("appointment"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    kind = models.CharField(_("kind"), max_length=8, choices=ChangeKind)
    actor = models.ForeignKey("core.User", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("by"))
    actor_name = models.CharField(_("by"), max_length=200)
    from_status = models.CharField(_("from"), max_length=16, choices=Status, blank=True)
    to_status = models.CharField(_("to"), max_length=16, choices=Status)
    from_start = models.DateTimeField(_("from time"), null=True)
    to_start = models.DateTimeField(_("to time"), null=True)
    from_provider = ClinicForeignKey(Provider, null=True, related_name="+", verbose_name=_("from provider"))
    to_provider = ClinicForeignKey(Provider, null=True, related_name="+", verbose_name=_("to provider"))
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta(ClinicModel.Meta):
        verbose_name = _("change")
        verbose_name_plural = _("history")
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["clinic", "appointment", "at"], name="appointments_change_by_visit")]

    def field_rules(self) -> Rules:
        return {"reason": visit_rules()["reason"]}


@anonymised(
    keep=["appointment", "kind", "start", "made_at", "message_id", "confirmed_at", "late_at", "late_minutes", "cancelled_at"]
)
@keeps_history()
@announces(reminders=["appointment_id"])
class Reminder(ClinicModel):
    """That a patient is reminded of a visit at this time: one row for each visit, kind and start, so once. A moved visit has
    another start and gets a new one. Its key stands, signed, in the link that the patient is sent; it keeps what they answered.
    """

    subject_path = "appointment.patient_id"

    appointment = ClinicForeignKey(Appointment, related_name="reminders", verbose_name=_("appointment"))
    kind = models.CharField(_("kind"), max_length=8, choices=ReminderKind)
    start = models.DateTimeField(_("for the start"))
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    message_id = models.UUIDField(null=True, help_text="core.PatientMessage; empty: the patient wants none.")
    confirmed_at = models.DateTimeField(_("confirmed by the patient"), null=True)
    late_at = models.DateTimeField(_("said to be late"), null=True)
    late_minutes = models.PositiveSmallIntegerField(_("late by (minutes)"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled by the patient"), null=True)

    class Meta(ClinicModel.Meta):
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "appointment", "kind", "start"], name="appointments_reminder_once")
        ]


@anonymised(keep=["resource_kind", "resource_id", "during", "starts_at", "ends_at", "appointment"])
@announces(claims=["clinic_id", "days(starts_at, ends_at)"])
class Claim(models.Model):
    """A provider, room or patient taken for a time, buffers included. No two claims of one resource overlap."""

    table_kind = "clinic"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    clinic = models.ForeignKey("core.Clinic", models.PROTECT, related_name="+", editable=False, db_index=False)
    resource_kind = models.CharField(max_length=16, choices=ResourceKind)
    resource_id = models.UUIDField()
    during = DateTimeRangeField()
    starts_at = models.DateTimeField(help_text="The range's lower end: ranges can't use an index under row-level security.")
    ends_at = models.DateTimeField(help_text="The range's upper end.")
    appointment = ClinicForeignKey(Appointment, models.CASCADE, null=True, related_name="claims")

    objects = ClinicManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        constraints = [
            ExclusionConstraint(
                name="appointments_claim_no_overlap",
                index_type="GIST",
                # GiST compares column by column: what tells a clinic's claims apart comes before what most of them share.
                expressions=[
                    ("clinic", RangeOperators.EQUAL),
                    ("resource_id", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                    ("resource_kind", RangeOperators.EQUAL),
                ],
            )
        ]
        indexes = [
            models.Index(fields=["clinic", "resource_kind", "resource_id", "ends_at"], name="appointments_claim_busy"),
            models.Index(fields=["clinic", "appointment"], name="appointments_claim_of_visit"),
        ]

    def __str__(self) -> str:
        return f"{self.resource_kind} {self.resource_id}"
