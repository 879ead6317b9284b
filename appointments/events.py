"""What is announced of visits and of tickets."""

from appointments.choices import Priority, Source, Status, TicketSource, TicketStatus
from core.events.catalogue import ID, Event, channel, event

VISITS = channel("appointments", read_by=("appointment", "view"))
QUEUE = channel("queue", read_by=("queue", "view"))
DASHBOARD = channel("dashboard", read_by=VISITS.read_by, parts=(VISITS, QUEUE))  # what the figures of a day follow from

FIELDS: dict[str, str | tuple[str, ...]] = {
    "appointment": ID,
    "patient": ID,
    "service": ID,
    "provider": ID,
    "location": ID,
    "status": tuple(Status.values),
    "source": tuple(Source.values),
}
# Where it was until now, for those whose list it leaves; None where that didn't change.
MOVED_FIELDS = FIELDS | {"from_location": ID}

OTHERWISE = "Something else of a visit changed: its notes, or what was not done through HMS. Without ids: many visits at once."


def _visit(name: str, words: str, fields: dict[str, str | tuple[str, ...]] = FIELDS) -> Event:
    return event(f"appointment.{name}", about="appointment", fields=fields, words=words, channel=VISITS)


BOOKED = _visit("booked", "A visit was booked.")
MOVED = _visit("moved", "A visit has another time, provider or room.", MOVED_FIELDS)
CHANGED = _visit("changed", OTHERWISE, MOVED_FIELDS)
CONFIRMED = _visit("confirmed", "A visit that was asked for is confirmed.")
CHECKED_IN = _visit("checked_in", "The patient has arrived.")
CALLED = _visit("called", "The patient was called in: the visit has begun.")
FINISHED = _visit("finished", "The visit is over.")
CANCELLED = _visit("cancelled", "A visit was cancelled; its time is free again.")
NO_SHOW = _visit("no_show", "The patient did not come; the time is free again.")
UNDONE = _visit("undone", "The last step was taken back; `status` says where the visit stands now.")

# The step of the workflow -> what is announced of it.
OF_STEP = {
    "confirm": CONFIRMED,
    "check_in": CHECKED_IN,
    "start": CALLED,
    "complete": FINISHED,
    "cancel": CANCELLED,
    "no_show": NO_SHOW,
}

TICKET_FIELDS: dict[str, str | tuple[str, ...]] = {
    "ticket": ID,
    "location": ID,
    "series": ID,
    "appointment": ID,
    "provider": ID,
    "room": ID,
    "status": tuple(TicketStatus.values),
    "source": tuple(TicketSource.values),
    "priority": tuple(one.name.lower() for one in Priority),
}


def _ticket(name: str, words: str, fields: dict[str, str | tuple[str, ...]] = TICKET_FIELDS) -> Event:
    return event(f"ticket.{name}", about="ticket", fields=fields, words=words, channel=QUEUE)


TICKET_CHANGED = _ticket(
    "changed",
    "Something of a ticket changed that was not done through HMS. Without an id: many tickets at once.",
    {name: kind for name, kind in TICKET_FIELDS.items() if name != "priority"},
)
TICKET_CREATED = _ticket("created", "Somebody waits: a ticket was taken.")

# The step of a ticket -> what is announced of it.
OF_TICKET_STEP = {
    "call": _ticket("called", "Somebody is called, to `room` or by `provider`."),
    "recall": _ticket("recalled", "Somebody is called once more."),
    "serve": _ticket("serving", "Whoever was called has gone in."),
    "skip": _ticket("skipped", "Somebody was called and did not come."),
    "put_back": _ticket("put_back", "Somebody waits again, in the old place."),
    "transfer": _ticket("transferred", "Somebody was sent on and waits for another provider, room or group."),
    "finish": _ticket("finished", "Somebody is done."),
    "leave": _ticket("left", "Somebody has gone, or the visit was cancelled."),
    "reopen": _ticket("reopened", "The end of a visit was taken back: its patient is inside again."),
}
