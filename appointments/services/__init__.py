"""What is done with visits, and with the hours and services that they are made of."""

from appointments.services.answers import answer_reminder
from appointments.services.booking import book_appointment, booking_problems, reschedule_appointment
from appointments.services.catalogue import create_service, update_service
from appointments.services.hours import (
    create_exception,
    create_holiday,
    create_schedule,
    delete_exception,
    delete_holiday,
    delete_schedule,
    replace_week,
    update_exception,
    update_holiday,
    update_schedule,
)
from appointments.services.queue import call_next, step_ticket, take_ticket, transfer_ticket
from appointments.services.reminders import send_reminders
from appointments.services.workflow import change_notes, change_status, undo_last_change

__all__ = [
    "answer_reminder",
    "book_appointment",
    "booking_problems",
    "call_next",
    "change_notes",
    "change_status",
    "create_exception",
    "create_holiday",
    "create_schedule",
    "create_service",
    "delete_exception",
    "delete_holiday",
    "delete_schedule",
    "replace_week",
    "reschedule_appointment",
    "send_reminders",
    "step_ticket",
    "take_ticket",
    "transfer_ticket",
    "undo_last_change",
    "update_exception",
    "update_holiday",
    "update_schedule",
    "update_service",
]
