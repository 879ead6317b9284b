"""What is announced of visits."""

from appointments.choices import Source, Status
from core.events.catalogue import ID, Event, channel, event

VISITS = channel("appointments", read_by=("appointment", "view"))
QUEUE = channel("queue", read_by=("appointment", "view"))

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
