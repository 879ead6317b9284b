"""The nouns of scheduling: what is booked, and who waits."""

from appointments.models.queue import LocationQueue, QueueScreen, QueueSeries, SeriesService, Ticket, TicketChange
from appointments.models.visits import (
    Appointment,
    AppointmentChange,
    Claim,
    Holiday,
    Reminder,
    Schedule,
    ScheduleException,
    Service,
    ServiceProvider,
)

__all__ = [
    "Appointment",
    "AppointmentChange",
    "Claim",
    "Holiday",
    "LocationQueue",
    "QueueScreen",
    "QueueSeries",
    "Reminder",
    "Schedule",
    "ScheduleException",
    "SeriesService",
    "Service",
    "ServiceProvider",
    "Ticket",
    "TicketChange",
]
