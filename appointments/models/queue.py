"""Who waits: tickets with their steps, and what a location needs to give them out, call them and show them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from appointments.choices import OPEN_TICKETS, Priority, ScreenKind, TicketSource, TicketStatus
from appointments.models.visits import Appointment, Service
from appointments.querysets import TicketQuerySet
from appointments.validators import place_rules, screen_rules, series_rules
from clinics.models import Location, Provider, Room
from core.anonymity import anonymised
from core.history.keeping import keeps_history
from core.tenancy.announcements import announces
from core.tenancy.models import ClinicForeignKey, ClinicModel, Record
from core.tenancy.querysets import ClinicManager
from core.validators import Rules
from patients.models import Patient


@keeps_history()
@announces()
class LocationQueue(Record):
    """That patients of a location wait with tickets, and how its boards sound. At most one row a location."""

    location = ClinicForeignKey(Location, related_name="+", verbose_name=_("location"))
    is_active = models.BooleanField(_("in use"), default=True)
    has_chime = models.BooleanField(_("boards chime"), default=True)
    has_voice = models.BooleanField(_("boards speak"), default=False)

    class Meta(Record.Meta):
        verbose_name = _("queue of a location")
        verbose_name_plural = _("queues of locations")
        constraints = [models.UniqueConstraint(fields=["clinic", "location"], name="appointments_location_queue_once")]

    def field_rules(self) -> Rules:
        return place_rules()


@keeps_history()
@announces()
class QueueSeries(Record):
    """A group of services whose tickets share a letter and are counted together: A001, A002, …"""

    letter = models.CharField(_("letter"), max_length=1)
    name = models.CharField(_("name"), max_length=60, help_text=_("As patients read it at the kiosk."))
    takes_walk_ins = models.BooleanField(_("offered at the kiosk"), default=True)
    is_active = models.BooleanField(_("in use"), default=True)
    services = models.ManyToManyField(Service, through="SeriesService", related_name="+", verbose_name=_("services"))

    class Meta(Record.Meta):
        verbose_name = _("ticket group")
        verbose_name_plural = _("ticket groups")
        ordering = ["letter"]
        constraints = [models.UniqueConstraint(fields=["clinic", "letter"], name="appointments_series_letter_once")]

    def __str__(self) -> str:
        return f"{self.letter}, {self.name}"

    def field_rules(self) -> Rules:
        return series_rules()


@keeps_history()
@announces()
class SeriesService(ClinicModel):
    """Of which group a service is. A service of none gets tickets of the first group."""

    series = ClinicForeignKey(QueueSeries, models.CASCADE, related_name="members", verbose_name=_("ticket group"))
    service = ClinicForeignKey(Service, models.CASCADE, related_name="+", verbose_name=_("service"))

    class Meta(ClinicModel.Meta):
        verbose_name = _("service of a ticket group")
        verbose_name_plural = _("services of ticket groups")
        constraints = [models.UniqueConstraint(fields=["clinic", "service"], name="appointments_series_service_once")]
        indexes = [models.Index(fields=["clinic", "series"], name="appointments_series_members")]


@keeps_history()
@announces()
class QueueScreen(Record):
    """A board or a kiosk of a location. Its key stands, signed, in its address, which is good until the screen is ended."""

    kind = models.CharField(_("kind"), max_length=8, choices=ScreenKind)
    location = ClinicForeignKey(Location, related_name="+", verbose_name=_("location"))
    name = models.CharField(_("name"), max_length=60, help_text=_("Where it stands: Entrance, ground floor."))
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)

    class Meta(Record.Meta):
        verbose_name = _("screen")
        verbose_name_plural = _("screens")
        ordering = ["name"]
        indexes = [models.Index(fields=["clinic", "location"], name="appointments_screen_location")]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return screen_rules()


@anonymised(
    keep=[
        "location", "day", "series", "letter", "number", "source", "service", "patient", "appointment", "provider", "room",
        "priority", "status", "calls", "taken_at", "queued_at", "called_at", "last_called_at", "serving_at", "ended_at",
        "expected_minutes", "expected_least", "expected_most",
    ]
)  # fmt: skip
@keeps_history()
@announces(tickets=["location_id", "day"])
class Ticket(Record):
    """Somebody who waits, or has waited, at a location on a local day. Never deleted. A walk-in may be nobody we know.

    `provider` and `room`: for whom it waits (empty: for whoever calls), and once called by whom and whereto.
    """

    subject_path = "patient_id"

    location = ClinicForeignKey(Location, related_name="+", verbose_name=_("location"))
    day = models.DateField(_("day"), help_text=_("In the location's time zone."))
    series = ClinicForeignKey(QueueSeries, related_name="+", verbose_name=_("ticket group"))
    letter = models.CharField(_("letter"), max_length=1)
    number = models.PositiveSmallIntegerField(_("number"))
    source = models.CharField(_("source"), max_length=16, choices=TicketSource)
    service = ClinicForeignKey(Service, null=True, blank=True, related_name="+", verbose_name=_("service"))
    patient = ClinicForeignKey(Patient, null=True, blank=True, related_name="+", verbose_name=_("patient"))
    appointment = ClinicForeignKey(Appointment, null=True, blank=True, related_name="tickets", verbose_name=_("appointment"))
    provider = ClinicForeignKey(Provider, null=True, blank=True, related_name="+", verbose_name=_("provider"))
    room = ClinicForeignKey(Room, null=True, blank=True, related_name="+", verbose_name=_("room"))
    priority = models.PositiveSmallIntegerField(_("priority"), choices=Priority, default=Priority.ORDINARY)
    status = models.CharField(_("status"), max_length=16, choices=TicketStatus, default=TicketStatus.WAITING)
    calls = models.PositiveSmallIntegerField(_("times called"), default=0)
    taken_at = models.DateTimeField(_("taken"))
    queued_at = models.DateTimeField(_("counts as waiting since"))
    called_at = models.DateTimeField(_("first called"), null=True)
    last_called_at = models.DateTimeField(_("last called"), null=True)
    serving_at = models.DateTimeField(_("went in"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    expected_minutes = models.PositiveSmallIntegerField(_("expected wait (minutes)"), null=True)
    expected_least = models.PositiveSmallIntegerField(_("expected wait, least (minutes)"), null=True)
    expected_most = models.PositiveSmallIntegerField(_("expected wait, most (minutes)"), null=True)

    objects = ClinicManager.from_queryset(TicketQuerySet)()  # type: ignore[assignment, misc]

    class Meta(Record.Meta):
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "location", "day", "letter", "number"], name="appointments_ticket_once"),
            models.UniqueConstraint(
                fields=["clinic", "appointment"],
                condition=Q(status__in=sorted(OPEN_TICKETS)),
                name="appointments_ticket_open_once",
            ),
        ]
        indexes = [
            models.Index(fields=["clinic", "location", "day", "status", "priority", "queued_at"], name="appointments_ticket_line"),
            models.Index(fields=["clinic", "day", "taken_at", "id"], name="appointments_ticket_by_day"),
            models.Index(fields=["clinic", "patient"], name="appointments_ticket_patient"),
            models.Index(fields=["clinic", "appointment"], name="appointments_ticket_visit"),
            models.Index(fields=["clinic", "updated_at", "id"], name="appointments_ticket_update"),
        ]

    def __str__(self) -> str:
        return f"{self.token}, {self.day}"

    @property
    def token(self) -> str:
        """What the patient holds and the board shows: A012."""
        return f"{self.letter}{self.number:03}"

    def field_rules(self) -> Rules:
        return {}


@anonymised(keep=["ticket", "at", "action", "actor", "actor_name", "from_status", "to_status", "provider", "room"])
@keeps_history()
@announces(ticket_changes=["ticket_id"])
class TicketChange(ClinicModel):
    """One step of a ticket: who took it and when. Written with the step, never altered."""

    subject_path = "ticket.patient_id"

    ticket = ClinicForeignKey(Ticket, related_name="changes", verbose_name=_("ticket"))
    at = models.DateTimeField(_("at"))
    action = models.CharField(_("step"), max_length=16)
    actor = models.ForeignKey("core.User", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("by"))
    actor_name = models.CharField(_("by"), max_length=200)
    from_status = models.CharField(_("from"), max_length=16, choices=TicketStatus, blank=True)
    to_status = models.CharField(_("to"), max_length=16, choices=TicketStatus)
    provider = ClinicForeignKey(Provider, null=True, related_name="+", verbose_name=_("provider"))
    room = ClinicForeignKey(Room, null=True, related_name="+", verbose_name=_("room"))

    class Meta(ClinicModel.Meta):
        verbose_name = _("step of a ticket")
        verbose_name_plural = _("steps of tickets")
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["clinic", "ticket", "at"], name="appointments_ticket_steps")]

    def field_rules(self) -> Rules:
        return {}
