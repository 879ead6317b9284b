"""The words of scheduling, and which status may follow which."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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


# --- The queue -------------------------------------------------------------------------------------------------------------
class TicketStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    TRANSFERRED = "transferred", _("Sent on, waiting")
    CALLED = "called", _("Called")
    SERVING = "serving", _("Inside")
    SKIPPED = "skipped", _("Did not come")
    FINISHED = "finished", _("Finished")
    LEFT = "left", _("Left")


class TicketSource(models.TextChoices):
    WALK_IN = "walk_in", _("Walk-in")
    APPOINTMENT = "appointment", _("Checked in")


class ScreenKind(models.TextChoices):
    BOARD = "board", _("Board")
    KIOSK = "kiosk", _("Kiosk")


class Priority(models.IntegerChoices):
    """Who is called first: the lower number."""

    EMERGENCY = 1, _("Emergency")
    ELDERLY = 2, _("Elderly")
    ON_TIME = 3, _("Visit, on time")
    ORDINARY = 4, _("Ordinary")


ELDERLY_FROM = 75  # years of age
EARLY = timedelta(minutes=15)  # before the start of a visit: who comes sooner waits for this moment first
LATE = timedelta(minutes=10)  # after it: who comes later waits as an ordinary walk-in
CALLS_LATELY = timedelta(minutes=60)  # whoever has called within so long still calls
LONG_WAIT = timedelta(minutes=60)  # after which somebody ordinary is called like a visit on time


def priority_of(
    *, arrived: datetime, is_emergency: bool = False, age: int | None = None, start: datetime | None = None
) -> tuple[Priority, datetime]:
    """The rule by which patients are called: their priority, and since when they count as waiting.

    1. Emergencies: the visit is marked urgent, or whoever takes the ticket says so.
    2. The elderly: 75 years and older, as the record says. `age` is None where there is no record, or one that is withheld.
    3. Patients with a visit who arrive at most 10 minutes after its `start`.
    4. Everybody else: walk-ins, and patients who come later than that.

    Among equals the one who has waited longest is first. Who comes more than 15 minutes before the start of the visit counts as
    waiting from 15 minutes before it, and until then everybody else is called first, unless it is an emergency. Somebody ordinary
    who has waited for an hour is called as if on time (`TicketQuerySet.in_order`), so that nobody waits for ever.
    """
    if is_emergency:
        return Priority.EMERGENCY, arrived
    since = arrived if start is None else max(arrived, start - EARLY)
    if age is not None and age >= ELDERLY_FROM:
        return Priority.ELDERLY, since
    if start is not None and arrived <= start + LATE:
        return Priority.ON_TIME, since
    return Priority.ORDINARY, since


def rank_at(priority: int, queued_at: datetime, now: datetime) -> int:
    """The place of a ticket's kind in the order of calling at this moment; among equals `queued_at` decides.

    `TicketQuerySet.in_order` says the same to the database.
    """
    if queued_at > now:
        return Priority.ORDINARY + 1
    if priority == Priority.ORDINARY and queued_at <= now - LONG_WAIT:
        return Priority.ON_TIME
    return priority


@dataclass(frozen=True, slots=True)
class TicketStep:
    """One step of a ticket: its name in the API and the matrix, from where, to where."""

    action: str
    sources: frozenset[TicketStatus]
    target: TicketStatus


_T = TicketStatus
CALLABLE = frozenset({_T.WAITING, _T.TRANSFERRED})
OPEN_TICKETS = CALLABLE | {_T.CALLED, _T.SERVING, _T.SKIPPED}
# A ticket's way through the day. `reopen` is taken only with the visit, when its end is taken back.
TICKET_STEPS: dict[str, TicketStep] = {
    step.action: step
    for step in (
        TicketStep("call", CALLABLE, _T.CALLED),
        TicketStep("recall", frozenset({_T.CALLED, _T.SKIPPED}), _T.CALLED),
        TicketStep("serve", CALLABLE | {_T.CALLED, _T.SKIPPED}, _T.SERVING),
        TicketStep("skip", CALLABLE | {_T.CALLED}, _T.SKIPPED),
        TicketStep("put_back", frozenset({_T.CALLED, _T.SERVING, _T.SKIPPED, _T.LEFT}), _T.WAITING),
        TicketStep("transfer", OPEN_TICKETS, _T.TRANSFERRED),
        TicketStep("finish", frozenset({_T.CALLED, _T.SERVING}), _T.FINISHED),
        TicketStep("leave", CALLABLE | {_T.CALLED, _T.SKIPPED}, _T.LEFT),
        TicketStep("reopen", frozenset({_T.FINISHED}), _T.SERVING),
    )
}
