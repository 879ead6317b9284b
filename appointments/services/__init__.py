"""What is done with visits, and with the hours and services that they are made of."""

from appointments.services.booking import book_appointment, reschedule_appointment
from appointments.services.workflow import change_notes, change_status, undo_last_change

__all__ = ["book_appointment", "change_notes", "change_status", "reschedule_appointment", "undo_last_change"]
