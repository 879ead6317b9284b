"""The words of scheduling, and which status may follow which."""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    CONFIRMED = "confirmed", _("Confirmed")
    CHECKED_IN = "checked_in", _("Waiting")
    IN_PROGRESS = "in_progress", _("With provider")
    COMPLETED = "completed", _("Done")
    CANCELLED = "cancelled", _("Cancelled")
    NO_SHOW = "no_show", _("Missed")


class Source(models.TextChoices):
    STAFF = "staff", _("Staff")
    API = "api", _("API")
    PORTAL = "portal", _("Portal")
    WALK_IN = "walk_in", _("Walk-in")
    WAITLIST = "waitlist", _("Waiting list")


class ResourceKind(models.TextChoices):
    """What can be claimed for a time. Their alphabetical order is the order in which claims are taken."""

    PATIENT = "patient", _("Patient")
    PROVIDER = "provider", _("Provider")
    ROOM = "room", _("Room")


class ChangeKind(models.TextChoices):
    BOOKED = "booked", _("Booked")
    STATUS = "status", _("Status")
    MOVED = "moved", _("Moved")
    UNDONE = "undone", _("Undone")
    ANSWERED = "answered", _("Answered by the patient")


class ReminderKind(models.TextChoices):
    FIRST = "first", _("First reminder")
    SECOND = "second", _("Second reminder")


class Reply(models.TextChoices):
    """What a patient can do with a reminder's link, once each."""

    CONFIRM = "confirm", _("Confirm")
    LATE = "late", _("Running late")
    CANCEL = "cancel", _("Cancel")


class ExceptionKind(models.TextChoices):
    OFF = "off", _("Away")
    EXTRA = "extra", _("Extra hours")


class Tone(models.TextChoices):
    """A service's colour, by the design system's tones."""

    MUTE = "mute", _("Grey")
    ACCENT = "accent", _("Teal")
    INFO = "info", _("Blue")
    OK = "ok", _("Green")
    WARN = "warn", _("Amber")


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of the visit's workflow: its name in the API and the matrix, from where, to where."""

    action: str
    sources: frozenset[Status]
    target: Status


# The visit's workflow. A move keeps the status; cancelled and missed visits free their time.
TRANSITIONS: dict[str, Transition] = {
    t.action: t
    for t in (
        Transition("confirm", frozenset({Status.REQUESTED}), Status.CONFIRMED),
        Transition("check_in", frozenset({Status.REQUESTED, Status.CONFIRMED}), Status.CHECKED_IN),
        Transition("start", frozenset({Status.CHECKED_IN}), Status.IN_PROGRESS),
        Transition("complete", frozenset({Status.IN_PROGRESS}), Status.COMPLETED),
        Transition("cancel", frozenset({Status.REQUESTED, Status.CONFIRMED, Status.CHECKED_IN}), Status.CANCELLED),
        Transition("no_show", frozenset({Status.REQUESTED, Status.CONFIRMED}), Status.NO_SHOW),
    )
}
MOVABLE = frozenset({Status.REQUESTED, Status.CONFIRMED})
UNDOABLE = frozenset({Status.CHECKED_IN, Status.IN_PROGRESS, Status.COMPLETED, Status.NO_SHOW})
FREED = frozenset({Status.CANCELLED, Status.NO_SHOW})
